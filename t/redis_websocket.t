#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The session API of one host names the WebSocket of another, where the user's
# browsers are; what is given back at one host ends at the other.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::Host;
use IMS::JWT;
use IMS::Loop;
use IMS::Redis;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->has_daemon('redis-server')
    ->plan(13);

my $jwt = IMS::JWT->new($t);
my $redis = IMS::Redis->new(dir => $t->testdir(), port => port(8979));
my $share = 'share redis://127.0.0.1:%%PORT_8979%% hold=0 '
    . 'host=wss://n%d.acme.example/ims/sip;';

$t->write_file_expand('nginx.conf',
    ims_conf(quarantine => '3s', pool => sprintf $share =~ s/%%/%%%%/gr, 1));
$t->run();

my $two = IMS::Host->new($t, 'two', ims_conf(quarantine => '3s',
    pool => sprintf($share =~ s/%%/%%%%/gr, 2),
    listen => '127.0.0.1:8082',
    listen_ims => '127.0.0.1:%%PORT_8984_UDP%% udp'));

my @port = (port(8080), port(8082));
my $core = IMS::Core->new()->registrar();

sub api {
    my ($host, $method, $user) = @_;

    return IMS::Browser::api($method, token => $jwt->token($user),
        port => $port[$host], headers => [ $method eq 'DELETE'
        ? 'Content-Length: 0' : () ]);
}

sub url { return api(@_)->{json}{websocket} // 'none' }

my $there = 'wss://n1.acme.example/ims/sip';

isnt(url(1, 'POST', 'mary'), $there, 'no browser anywhere: here');

my $b = IMS::Browser->open(token => $jwt->token('mary'));

is($b->register()->{code}, 200, 'a browser at host one');

# an answer is good for three seconds

ok(IMS::Loop::wait_for(sub { url(1, 'POST', 'mary') eq $there }, 8),
    'host two names it');
is(url(1, 'GET', 'mary'), $there, 'when it is read, too');
unlike(url(0, 'POST', 'mary'), qr/^wss:/, 'at host one: here');
is(api(1, 'POST', 'mary')->{json}{identity}, $b->{impu}, 'one identity');

# given back at host two

my $r = api(1, 'DELETE', 'mary');

is($r->{status}, 204, 'released at host two');
is($b->closed(5), 4410, 'her browser at host one is closed');
is(api(0, 'GET', 'mary')->{status}, 404, 'she has nothing at host one');

# it rests at both, for all but her

my @others = map { api($_ % 2, 'POST', "user$_")->{json}{identity} } 1 .. 6;

is(scalar(grep { $_ eq $b->{impu} } @others), 0, 'nobody gets it');
is(api(0, 'POST', 'mary')->{json}{identity}, $b->{impu}, 'but her');

is($two->alerts(), '', 'no alerts');
$two->stop();

is($redis->ask('EXISTS', '{ims:acme}:m'), 1, 'the keys are there');
