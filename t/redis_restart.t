#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The server that hosts share is started again, empty, or emptied: new leases
# wait until the hosts have told it of theirs, and nobody loses his.

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
use Time::HiRes qw/ time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->has_daemon('redis-server')
    ->plan(13);

my $jwt = IMS::JWT->new($t);
my $redis = IMS::Redis->new(dir => $t->testdir(), port => port(8979));
my @common = (workers => 2, pool => 'share redis://127.0.0.1:%%PORT_8979%%;');

$t->write_file_expand('nginx.conf', ims_conf(@common));
$t->run();

my $two = IMS::Host->new($t, 'two', ims_conf(@common,
    listen => '127.0.0.1:8082',
    listen_ims => '127.0.0.1:%%PORT_8984_UDP%% udp'));

my @port = (port(8080), port(8082));
my $core = IMS::Core->new()->registrar();

sub api {
    my ($host, $user) = @_;

    return IMS::Browser::api('POST', token => $jwt->token($user),
        port => $port[$host]);
}

my (%of, $from);

# a server that nobody knows may have lost something: the first ones wait, too

$from = time();
$of{$_} = api($_ =~ /[13579]$/ ? 1 : 0, $_)->{json}{identity} for
    map { "user$_" } 1 .. 12;

is(scalar(grep { defined } values %of), 12, 'users of both hosts');
cmp_ok(time() - $from, '<', 4 * $IMS::Loop::SLOW, 'who waited for the hold');

my $b = IMS::Browser->open(token => $jwt->token('user2'));

is($b->register()->{code}, 200, 'one is registered');

for my $how ('started again, empty', 'emptied') {

    if ($how eq 'emptied') {
        $redis->ask('FLUSHALL');

    } else {
        $redis->kill_it();
        $redis->start();
    }

    # a new one, at once, at the host that is not the first in line

    my $r;

    IMS::Loop::wait_for(sub { $r = api(1, "new $how");
        $r->{status} != 503 }, 8);

    is($r->{status}, 201, "$how: a new user is served");
    is(scalar(grep { $_ eq $r->{json}{identity} } values %of), 0,
        "$how: with what nobody has");

    $of{"new $how"} = $r->{json}{identity};

    my @other = grep { api($_ =~ /[13579]$/ ? 0 : 1, $_)->{json}{identity}
        ne $of{$_} } map { "user$_" } 1 .. 12;

    is("@other", '', "$how: all have theirs, at the other host");
}

ok($b->is_open(), 'no socket was closed');
is($two->alerts(), '', 'no alerts');
like($two->log() . $t->read_file('error.log'),
    qr/another one than before, or forgot/, 'said in the log');
is(IMS::Browser::api('GET', path => '/ims/status')
    ->{json}{pools}[0]{share}{lost}, 0, 'no conflict');

$two->stop();
