#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The status location: numbers that follow what happens.

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
use IMS::Loop;
use IMS::NG;
use IO::Socket::INET;
use JSON::PP ();
use Test::Nginx qw/ port /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(23);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(workers => 2,
    core => 'server 127.0.0.1:%%PORT_8982_UDP%% backup;
        probe 200ms fails=1 timeout=150ms;
        listen 127.0.0.1:%%PORT_8983%% tcp;',
    media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

sub status { return IMS::Browser::api('GET', path => '/ims/status') }

my $r = status();

is($r->{status}, 200, 'status');
like($r->{head}, qr!^Content-Type: application/json!mi, 'JSON');
is(ref $r->{json}, 'HASH', 'object');

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));

$mary->register();
my $call = call_up($mary, $core);
my $busy = status();

isnt($busy->{body}, $r->{body}, 'numbers changed');
is($busy->{json}{pools}[0]{sockets}, 1, 'one socket');
unlike($busy->{body}, qr/eyJ|Bearer/, 'no token');

my $pool = $busy->{json}{pools}[0];

is_deeply([ @$pool{qw/ entries claimed guests guests_max drain rebuilt / } ],
    [ 200, 0, 0, 0, 'off', 0 ], 'what the zone has');
is_deeply([ sort keys %{$pool->{room}} ],
    [ qw/ bindings denied dialogs entries texts / ], 'and has room for');
is($pool->{room}{texts}, $pool->{texts}, 'texts');
cmp_ok($pool->{room}{entries}, '>=', $pool->{entries}, 'identities');
cmp_ok($pool->{room}{bindings}, '>', $pool->{bindings}, 'browsers');
hang_up($mary, $call->{web}, $core);
$mary->close();
ok(IMS::Loop::wait_for(sub { !status()->{json}{pools}[0]{sockets} }, 4),
    'none');

# the core: which server is down, and who was not let in

sub cores { return status()->{json}{cores}[0] }

ok(IMS::Loop::wait_for(sub { cores()->{servers}[1]{misses} }, 4),
    'a server misses probes');

my ($up, $down) = @{cores()->{servers}};
my $now = time();

is_deeply([ @$up{qw/ address transport since fails misses / } ],
    [ '127.0.0.1:' . port(8981, udp => 1), 'UDP', 0, 0, 0 ], 'one is up');
is($up->{up} && !$up->{backup}, 1, 'the first');
is($down->{backup}, JSON::PP::true, 'the other is the backup');
cmp_ok($down->{fails}, '>', 0, 'it failed');
ok(!$down->{up}, 'and is down');
cmp_ok(abs($now - $down->{since}), '<', 10, 'is down for a moment');
cmp_ok(abs($now - $up->{probed}), '<', 10, 'and both are probed');

is(cores()->{refused}, 0, 'no strangers yet');

for (1 .. 6) {
    IO::Socket::INET->new(LocalAddr => '127.0.0.2', Proto => 'udp',
        PeerAddr => '127.0.0.1:' . port(8980, udp => 1))->send('x');
    IO::Socket::INET->new(LocalAddr => '127.0.0.2', Proto => 'tcp',
        PeerAddr => '127.0.0.1:' . port(8983));
}

ok(IMS::Loop::wait_for(sub { cores()->{refused} == 12 }, 3),
    'strangers of all workers are counted');

is(IMS::Browser::api('POST', path => '/ims/status')->{status}, 405,
    'only to be read');
