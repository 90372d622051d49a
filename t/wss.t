#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# WebSocket over TLS: what the other tests do in the clear.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Call qw/ call_up hang_up /;
use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::NG;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

eval { require IO::Socket::SSL; require IO::Socket::SSL::Utils; };
plan(skip_all => 'IO::Socket::SSL not installed') if $@;

my $t = Test::Nginx->new()->has(qw/ http http_ssl /)->plan(8);

my $jwt = IMS::JWT->new($t);
my ($cert, $key) = IO::Socket::SSL::Utils::CERT_create(
    subject => { commonName => 'localhost' }, CA => 1);

$t->write_file('cert.pem', IO::Socket::SSL::Utils::PEM_cert2string($cert));
$t->write_file('cert.key', IO::Socket::SSL::Utils::PEM_key2string($key));

$t->write_file_expand('nginx.conf', ims_conf(
    listen => "127.0.0.1:8080;\n        listen 127.0.0.1:8443 ssl",
    plain_ws => 'off', media => 'unix:%%TESTDIR%%/ng.sock',
    server => <<'EOC'));
        ssl_certificate %%TESTDIR%%/cert.pem;
        ssl_certificate_key %%TESTDIR%%/cert.key;
EOC

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $token = $jwt->token('mary');
my $mary = IMS::Browser->open(token => $token);

is($mary->{status}, 403, 'not in the clear');

$mary = IMS::Browser->connect(port => port(8443), cookie =>
    "ims_session=$token", ssl => { SSL_verify_mode => 0 });
is($mary->{status}, 101, 'over TLS');
$mary->close();

$mary = IMS::Browser->open(token => $token, port => port(8443),
    ssl => { SSL_verify_mode => 0 });

is($mary->register()->{code}, 200, 'registered');

# records and frames need not agree

my $frame = IMS::WebSocket::frame_bytes(1,
    $mary->register_request(expires => 300)->bytes());
$mary->write($_) for unpack '(a17)*', $frame;
is($mary->final('REGISTER')->{code}, 200, 'in many records');

$core->terminating('MESSAGE', to => $mary->{impu}, body => 'z' x 20000);
my $msg = $mary->expect('MESSAGE');
is($msg && length $msg->{body}, 20000, 'more than a record');
like($msg && $msg->h('Via'), qr!^SIP/2\.0/WSS !, 'Via says WSS');
$mary->reply($msg, 200, 'OK') if $msg;

my $call = call_up($mary, $core);
is(hang_up($core, $call->{core}, $mary), 200, 'call');

like(IMS::Browser::api('GET', token => $token)->{json}{websocket},
    qr!^wss?://!, 'session API tells a WebSocket address');

$mary->close();
