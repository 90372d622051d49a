#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The server that hosts share fails over to a replica without its last writes,
# and two hosts give one identity to two users: who had it first keeps it, the
# other's socket is closed with 4410, and he gets another one.

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
    ->plan(19);

my $jwt = IMS::JWT->new($t);
my $dir = $t->testdir();
my $old = IMS::Redis->new(dir => $dir, port => port(8979));
my $new = IMS::Redis->new(dir => $dir, port => port(8978), name => 'replica',
    conf => 'replicaof 127.0.0.1 ' . port(8979));

IMS::Loop::wait_for(sub { $new->ask('INFO', 'replication')
    =~ /master_link_status:up/ }, 10);

my @common = (workers => 2, quarantine => '2s');

sub share { return "share redis://127.0.0.1:%%PORT_$_[0]%% hold=0;" }

$t->write_file_expand('nginx.conf', ims_conf(@common, pool => share(8979)));
$t->run();

my $two = IMS::Host->new($t, 'two', ims_conf(@common,
    pool => 'share redis://127.0.0.1:%%PORT_8979%% '
        . 'redis://127.0.0.1:%%PORT_8978%% hold=0 prefix=ims:acme;',
    listen => '127.0.0.1:8082', server_ims => '127.0.0.1:%%PORT_8985_UDP%%',
    listen_ims => '127.0.0.1:%%PORT_8984_UDP%% udp'));

my @port = (port(8080), port(8082));
my $core = IMS::Core->new()->registrar();
my $core2 = IMS::Core->new(port => port(8985, udp => 1),
    portal => port(8984, udp => 1))->registrar();

sub api {
    my ($host, $method, $user) = @_;

    return IMS::Browser::api($method, token => $jwt->token($user),
        port => $port[$host]);
}

sub status {
    return IMS::Browser::api('GET', path => '/ims/status',
        port => $port[$_[0]])->{json}{pools}[0]{share};
}

# replicated: bob; not: mary, who is first

my $bob = api(1, 'POST', 'bob')->{json}{identity};

ok($bob, 'bob');
IMS::Loop::wait_for(sub { scalar(grep { /:i:/ } $new->keys()) == 1 }, 5);

$new->ask('REPLICAOF', 'NO', 'ONE');

my $mary = IMS::Browser->open(token => $jwt->token('mary'));

is($mary->register()->{code}, 200, 'mary is registered at host one');
is(scalar(grep { /:i:/ } $new->keys()), 1, 'the replica has not heard of it');

# the old one is gone; host two goes on with the replica, host one is cut off

$old->kill_it();

ok(IMS::Loop::wait_for(sub { status(1)->{connected} }, 8),
    'host two has the replica');

my $eve = IMS::Browser->open(token => $jwt->token('eve'), port => $port[1]);

is($eve->register()->{code}, 200, 'eve is registered at host two');
is($eve->{impu}, $mary->{impu}, 'with the identity of mary');
is($mary->{impu} eq $bob, '', 'that is not that of bob');

# host one is back: the replica is where the old one was

$new->ask('CONFIG', 'SET', 'port', port(8979));
$new->{port} = port(8979);

ok(IMS::Loop::wait_for(sub { status(0)->{connected} }, 8),
    'host one has the replica');
is($eve->closed(6), 4410, 'eve is closed with 4410');
ok($mary->is_open(), 'mary is not');
is($mary->register()->{code}, 200, 'she goes on');
is(api(0, 'POST', 'mary')->{json}{identity}, $mary->{impu},
    'with her identity');
is(status(0)->{won}, 1, 'one conflict won');
ok(IMS::Loop::wait_for(sub { status(1)->{lost} }, 3), 'and lost');

my $r;

IMS::Loop::wait_for(sub { $r = api(1, 'POST', 'eve');
    $r->{status} == 201 }, 5);

is($r->{status}, 201, 'eve comes again');
isnt($r->{json}{identity}, $mary->{impu}, 'and gets another identity');
is(api(0, 'POST', 'bob')->{json}{identity}, $bob, 'bob has his');
is($two->alerts(), '', 'no alerts');
like($two->log(), qr/a lease of this host was ended by another/,
    'said in the log');

$two->stop();
