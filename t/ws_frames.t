#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Frames: RFC 6455 5, RFC 7118 4.2 and 5, keep-alive of RFC 5626 4.4.1.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::WebSocket;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(35);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    sip => 'ims_portal_message_size 8k;',
    server => <<'EOC',
        location = /ping {
            ims_portal acme;
            ims_portal_ping 1s misses=2;
        }
EOC
));

$t->run();

my $core = IMS::Core->new()->registrar();
my $token = $jwt->token('mary');
my %at = (port => port(8080), cookie => "ims_session=$token");

# one wrong thing per connection: the close code

sub code_of {
    my ($wrong) = @_;
    my $ws = IMS::WebSocket->connect(%at);

    $wrong->($ws);

    return $ws->closed();
}

is(code_of(sub { $_[0]->frame(1, "\r\n\r\n", mask => 0) }), 1002, 'unmasked');
is(code_of(sub { $_[0]->frame(9, 'x' x 126) }), 1002, 'ping of 126 bytes');
is(code_of(sub { $_[0]->frame(9, 'x', fin => 0) }), 1002, 'ping in parts');
is(code_of(sub { $_[0]->frame(1, 'x', rsv => 4) }), 1002, 'RSV1');
is(code_of(sub { $_[0]->frame(1, 'x', rsv => 1) }), 1002, 'RSV3');
is(code_of(sub { $_[0]->frame(3, 'x') }), 1002, 'opcode 3');
is(code_of(sub { $_[0]->frame(11, 'x') }), 1002, 'opcode 11');
is(code_of(sub { $_[0]->frame(0, 'x') }), 1002, 'continuation of nothing');
is(code_of(sub { $_[0]->frame(1, 'x', fin => 0); $_[0]->frame(1, 'y') }),
    1002, 'text within a message');
is(code_of(sub { $_[0]->frame(8, 'x') }), 1002, 'close of one byte');
is(code_of(sub { $_[0]->frame(8, pack 'n', 1005) }), 1002, 'close with 1005');
is(code_of(sub { $_[0]->frame(1, "OPTIONS \xc3\x28") }), 1007, 'bad UTF-8');
is(code_of(sub { $_[0]->frame(1, "\xed\xa0\x80") }), 1007, 'surrogate');
is(code_of(sub { $_[0]->frame(1, "\xc3", fin => 0); $_[0]->frame(0, '(') }),
    1007, 'bad UTF-8 over two fragments');
is(code_of(sub { $_[0]->frame(1, 'x', len => 8193) }), 1009, 'too long');
is(code_of(sub { $_[0]->frame(1, 'x', len => 2 ** 40) }), 1009, 'far too long');
like(code_of(sub { $_[0]->frame(1, 'x', len => ~0) }),
    qr/^(1002|1009)$/, 'length with the highest bit');
is(code_of(sub {
    $_[0]->frame(1, 'x' x 5000, fin => 0);
    $_[0]->frame(0, 'x' x 5000, fin => 0);
}), 1009, 'too long in fragments');
is(code_of(sub { $_[0]->frame(8, pack 'n', 1000) }), 1000, 'close answered');
like(code_of(sub { $_[0]->frame(8, '') }), qr/^(1000|1005)$/,
    'close without a code');

# ping and pong

my $ws = IMS::WebSocket->connect(%at);

$ws->frame(9, 'abc');
ok($ws->pong_of('abc'), 'pong');
$ws->frame(9, '');
ok($ws->pong_of(''), 'empty pong');
$ws->frame(9, 'x' x 125);
ok($ws->pong_of('x' x 125), 'longest pong');
$ws->frame(10, 'unasked');
ok($ws->is_open(), 'unasked pong ignored');

# keep-alive

$ws->send("\r\n\r\n");
is($ws->recv(), "\r\n", 'CRLF for CRLF CRLF');
$ws->close();

# SIP in fragments, with a ping between

my $mary = IMS::Browser->open(token => $token);
my @part = unpack 'a40 a1 a*', $mary->register_request()->bytes();

$mary->frame(1, $part[0], fin => 0);
$mary->frame(9, 'between');
$mary->frame(0, $part[1], fin => 0);
$mary->frame(0, $part[2]);

ok($mary->pong_of('between'), 'pong between fragments');
is($mary->final('REGISTER')->{code}, 200, 'message in fragments');
is(scalar $core->seen('REGISTER'), 1, 'core saw it once');

# bytes one by one; two messages at once; binary

my $frame = IMS::WebSocket::frame_bytes(1, $mary->register_request()->bytes());

for my $byte (split //, $frame) {
    $mary->write($byte);
    select undef, undef, undef, 0.0005;
}

is($mary->final('REGISTER')->{code}, 200, 'byte by byte');

$frame = IMS::WebSocket::frame_bytes(1, "\r\n\r\n");
$mary->write($frame . $frame);
ok(IMS::Loop::wait_for(sub { @{$mary->{crlf} || []} == 2 }),
    'two messages in one segment');

$mary->send_binary($mary->register_request()->bytes());
is($mary->final('REGISTER')->{code}, 200, 'binary');
ok(!$mary->{masked} && !$mary->{rsv}, 'frames of the server are plain');
$mary->close();

# pings of the server, and a browser that is gone

$ws = IMS::WebSocket->connect(%at, path => '/ping');
IMS::Loop::wait_for(sub { $ws->{pings} >= 2 }, 5);
cmp_ok($ws->{pings}, '>=', 2, 'server pings');
ok($ws->is_open(), 'answered pings keep it open');

$ws->{auto_pong} = 0;
ok(defined $ws->closed(6), 'closed when no pong comes');
