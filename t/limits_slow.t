#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Slow clients: handshakes, frames and messages that dribble.

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
use IO::Socket::INET;
use Time::HiRes ();
use Test::Nginx qw/ port /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(15);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    http => 'client_header_timeout 1s;',
    server => '
        location = /slow {
            ims_portal acme;
            ims_portal_message_timeout 500ms;
        }

        location = /slow/ping {
            ims_portal acme;
            ims_portal_message_timeout 1s;
            ims_portal_ping 300ms misses=20;
        }

        location = /any {
            ims_portal acme;
            ims_portal_message_timeout 0;
        }'));

$t->run();

my $core = IMS::Core->new()->registrar();
my $token = $jwt->token('mary');

sub open_ws {
    my ($path) = @_;

    return IMS::WebSocket->connect(port => port(8080), path => $path,
        cookie => "ims_session=$token");
}

sub status { return IMS::Browser::api('GET', path => '/ims/status')->{json} }
sub limits { return status()->{limits} }

# a handshake that dribbles never gets as far as the portal

my @dribble = map { IO::Socket::INET->new(Proto => 'tcp',
    PeerAddr => '127.0.0.1:' . port(8080)) } 1 .. 50;

$_->syswrite("GET /ims/sip HTTP/1.1\r\nHost: localhost\r\nUpgr")
    for @dribble;

is(status()->{pools}[0]{sockets}, 0, 'no socket of a slow handshake');

my $mary = IMS::Browser->open(token => $token);
is($mary->register()->{code}, 200, 'others are not kept waiting');

my $closed = 0;

for my $s (@dribble) {
    IO::Select->new($s)->can_read(4);
    $closed++ unless $s->sysread(my $in, 1);
}

is($closed, 50, 'closed after client_header_timeout');

# a frame that is begun and not ended

my $frame = IMS::WebSocket::frame_bytes(1, 'x' x 2000);

sub slow {
    my ($path, $step) = @_;
    my $ws = open_ws($path);
    my $since = Time::HiRes::time();

    $ws->write(substr $frame, 0, 3);
    $step->($ws) until IMS::Loop::wait_for(sub { $ws->{close_code} }, 0.1)
        || Time::HiRes::time() - $since > 4 * $IMS::Loop::SLOW;

    return ($ws->{close_code} || 0, Time::HiRes::time() - $since);
}

my ($code, $after) = slow('/slow', sub {});
is($code, 1008, 'a frame that stops');
cmp_ok($after, '>', 0.4, 'not at once');

my $n = 3;
($code, $after) = slow('/slow', sub { $_[0]->write(substr $frame, $n++, 1) });
is($code, 1008, 'a frame that dribbles');
cmp_ok($after, '>', 0.4, 'not at once');

# a message in fragments, with pings between, which are answered

my $ws = open_ws('/slow/ping');

$ws->frame(1, 'x', fin => 0);

for (1 .. 50) {
    last if IMS::Loop::wait_for(sub { !$ws->{sock} }, 0.1);
    $ws->frame(0, 'x', fin => 0);
    $ws->frame(9, 'p');
}

is($ws->{close_code}, 1008, 'fragments without an end');
cmp_ok($ws->{pings}, '>', 0, 'pings go on meanwhile');

# what is slow, but whole in time; and afterwards it is as before

$ws = open_ws('/slow/ping');

for (1 .. 3) {
    $ws->frame(1, "\r\n", fin => 0);
    select undef, undef, undef, 0.5;      # of a timeout that stays as it is
    $ws->frame(0, "\r\n");
    ok($ws->recv(), 'a slow message is heard');
}

$n = $ws->{pings};
ok(IMS::Loop::wait_for(sub { $ws->{pings} > $n + 1 }, 3), 'pings go on');
is(limits()->{message_timeout}, 3, 'counted');

$ws = open_ws('/any');
$ws->write(substr $frame, 0, 3);
IMS::Loop::pause(0.8);
ok($ws->is_open(), 'off');
