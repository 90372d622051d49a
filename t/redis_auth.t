#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Logging in at the server that hosts share: a user of its access list, by a
# Unix socket, a wrong password; which is never in a log.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::Host;
use IMS::JWT;
use IMS::Loop;
use IMS::Redis;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->has_daemon('redis-server')
    ->plan(11);

my $jwt = IMS::JWT->new($t);
my $dir = $t->testdir();

my $redis = IMS::Redis->new(dir => $dir, port => port(8979),
    auth => [ 'topsecret0' ], conf => "unixsocket $dir/redis.sock\n"
        . "user default on >topsecret0 ~* &* +\@all\n"
        . "user ims on >t0p:s\@cret ~{ims:acme}:* resetchannels -\@all "
        . join ' ', map { "+$_" } qw/ eval evalsha time get set del exists
            hget hmget hset hdel pexpire pexpireat pttl zadd zrangebyscore
            zremrangebyscore select /);

$t->write_file('redis.password', "t0p:s\@cret\n");

$t->write_file_expand('nginx.conf', ims_conf(pool => 'share '
    . 'redis://ims:t0p%3as%40cret@127.0.0.1:%%PORT_8979%% hold=0;'));
$t->run();

my $two = IMS::Host->new($t, 'two', ims_conf(
    pool => 'share unix:%%TESTDIR%%/redis.sock user=ims db=0 hold=0 '
        . 'password_file=%%TESTDIR%%/redis.password;',
    listen => '127.0.0.1:8082',
    listen_ims => '127.0.0.1:%%PORT_8984_UDP%% udp'));

my $bad = IMS::Host->new($t, 'bad', ims_conf(
    pool => 'share redis://:wrongsecret@127.0.0.1:%%PORT_8979%% hold=0;',
    listen => '127.0.0.1:8083',
    listen_ims => '127.0.0.1:%%PORT_8986_UDP%% udp'));

sub api {
    my ($port, $method, $user) = @_;

    return IMS::Browser::api($method, token => $jwt->token($user),
        port => port($port));
}

my $r = api(8080, 'POST', 'mary');

is($r->{status}, 201, 'with a user of the access list');
is(api(8082, 'POST', 'mary')->{json}{identity}, $r->{json}{identity},
    'by a Unix socket, with a password from a file');
is(api(8083, 'POST', 'mary')->{status}, 503, 'not with a wrong password');

like($bad->log(), qr/\[error\].*redis "127.0.0.1:\d+" refuses to serve us: /,
    'said so');
is(scalar(() = $bad->log() =~ /\[error\].*refuses to serve us/g), 1, 'once');
like($two->log(), qr/redis "unix:.*" is connected/, 'connected');

for my $log ($t->read_file('error.log'), $two->log(), $bad->log()) {
    unlike($log, qr/t0p|s\@cret|wrongsecret|topsecret/, 'no password in a log');
}

is($two->alerts(), '', 'no alerts');
is($bad->alerts(), '', 'none with a wrong password');

$two->stop();
$bad->stop();
