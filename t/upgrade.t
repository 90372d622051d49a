#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The WebSocket handshake: RFC 6455 4.2, RFC 7118 4.1.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Conf;
use IMS::JWT;
use IMS::WebSocket;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(31);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    origin => 'https://acme.example',
    server => <<'EOC',
        location = /wss {
            ims_portal acme;
            ims_portal_plain_ws off;
        }

        location = /any {
            ims_portal acme;
            ims_portal_origin any;
        }
EOC
));

$t->run();

my $cookie = 'ims_session=' . $jwt->token('mary');

sub try {
    return IMS::WebSocket->connect(port => port(8080), cookie => $cookie,
        origin => 'https://acme.example', @_);
}

# what a browser sends

my $ws = try();

is($ws->{status}, 101, 'switching protocols');
is($ws->header('Sec-WebSocket-Protocol'), 'sip', 'subprotocol');
is($ws->header('Sec-WebSocket-Accept'), $ws->accept_value(), 'accept value');
like($ws->header('Upgrade'), qr/^websocket$/i, 'upgrade');
like($ws->header('Connection'), qr/^upgrade$/i, 'connection');
$ws->close();

$ws = try(protocol => 'xmpp, sip , msrp',
    headers => [ 'Sec-WebSocket-Extensions: permessage-deflate' ]);

is($ws->{status}, 101, 'sip among others');
is($ws->header('Sec-WebSocket-Protocol'), 'sip', 'sip chosen');
is($ws->header('Sec-WebSocket-Extensions'), undef, 'no extension');
$ws->close();

# the example of RFC 6455, header values as other clients spell them

$ws = try(key => 'dGhlIHNhbXBsZSBub25jZQ==',
    drop => [ 'Connection', 'Upgrade' ],
    headers => [ 'Connection: keep-alive, uPgrade', 'Upgrade: WebSocket' ]);

is($ws->{status}, 101, 'case and lists');
is($ws->header('Sec-WebSocket-Accept'), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
    'accept value of the RFC');
$ws->close();

# first frame in the segment of the request

$ws = try(extra => pack 'H*', '898100000000' . '78');

is($ws->{status}, 101, 'frame with the request');
ok($ws->pong_of('x'), 'answered');
$ws->close();

# refused

is(try(drop => [ 'Sec-WebSocket-Protocol' ])->{status}, 400, 'no subprotocol');
is(try(protocol => 'sipx, msrp')->{status}, 400, 'other subprotocols');

$ws = try(version => 8);

is($ws->{status}, 426, 'version 8');
is($ws->header('Sec-WebSocket-Version'), '13', 'version told');

is(try(drop => [ 'Sec-WebSocket-Key' ])->{status}, 400, 'no key');
is(try(key => 'c2hvcnQ=')->{status}, 400, 'short key');
is(try(key => '!!!!!!!!!!!!!!!!!!!!!!==')->{status}, 400, 'key not base64');
like(try(drop => [ 'Upgrade' ])->{status}, qr/^(400|426)$/, 'no upgrade');
is(try(drop => [ 'Connection' ])->{status}, 400, 'no connection');
like(try(request => 'GET /ims/sip HTTP/1.0')->{status}, qr/^(400|426|505)$/,
    'HTTP/1.0');
like(try(request => 'POST /ims/sip HTTP/1.1',
    headers => [ 'Content-Length: 0' ])->{status}, qr/^40[05]$/, 'POST');

is(try(origin => 'https://evil.example')->{status}, 403, 'foreign origin');
is(try(origin => 'https://acme.example.evil.example')->{status}, 403,
    'origin with more behind');
is(try(origin => 'http://acme.example')->{status}, 403, 'other scheme');
is(try(origin => 'https://acme.example:444')->{status}, 403, 'other port');
is(try(origin => 'null')->{status}, 403, 'null origin');
is(try(origin => 'https://evil.example', path => '/any')->{status}, 101,
    'any origin');

is(try(path => '/wss')->{status}, 403, 'plain ws refused');
is(try(cookie => 'ims_session=x')->{status}, 401, 'bad token');
