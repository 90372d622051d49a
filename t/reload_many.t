#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Five reloads with many calls and idle browsers: no call is lost, everybody
# who is idle moves to the new workers and is who he was, the core hears
# nothing of it, and old workers end with their last call.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Conf;
use IMS::Core;
use IMS::Crowd;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $idle = $ENV{TEST_IMS_IDLE} || 150;
my $calls = $ENV{TEST_IMS_CALLS} || 20;
my $rounds = 5;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(9 + 6 * $rounds);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(workers => 2, shutdown => '60s',
    zone => '8m', server => 'ims_portal_drain 1s;',
    grace => 5 * $IMS::Loop::SLOW . 's',
    identity => 'sip:u[0001-1000]@acme.ims.operator.example',
    media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $crowd = IMS::Crowd->new(jwt => $jwt, core => $core);

my @idle = $crowd->join_in('idle', $idle);
my @busy = $crowd->join_in('busy', $calls);

is(scalar(keys %{$core->{registered}}), $idle + $calls, 'all registered');

# calls begin on each generation of workers, and some of each end with it

my $share = int $calls / $rounds;
my @up;

for my $round (1 .. $rounds) {
    my @new = splice @busy, 0, $share;
    my $half = int @new / 2;

    $crowd->call(1, @new[0 .. $half - 1]);
    $crowd->call(0, @new[$half .. $#new]);
    push @up, @new;

    my @before = ims_workers($t);
    my $came = $crowd->came();

    $t->reload();
    ok($crowd->settle(15, $idle + @busy), "reload $round: idle ones are back");
    is($crowd->came() - $came, $idle + @busy, "reload $round: each once");
    is($crowd->within('INFO', 1, @up), scalar @up,
        "reload $round: calls go on from the core");
    is($crowd->within('INFO', 0, @up), scalar @up,
        "reload $round: calls go on from the browsers");

    my %was = map { $_ => 1 } @before;
    my @now = ims_workers($t);
    is(scalar(grep { !$was{$_} } @now), 2, "reload $round: two new workers");
    cmp_ok(scalar @now, '>', 2, "reload $round: old ones stay for calls");
}

is(join(' ', $crowd->mixed_up()), '', 'all are who they were');
is(scalar $core->seen('REGISTER'), $idle + $calls,
    'the core had one REGISTER of each');

# hang up, from either side

my $half = int @up / 2;

is($crowd->within('BYE', 1, @up[0 .. $half - 1])
    + $crowd->within('BYE', 0, @up[$half .. $#up]), scalar @up,
    'each call is hung up');
ok($crowd->settle(15, scalar @up), 'who was in a call moves then');
ok(IMS::Loop::wait_for(sub { ims_workers($t) == 2 }, 10), 'old workers are gone');
$ng->wait_for('delete', scalar @up);
is(scalar $ng->seen('delete'), scalar @up, 'all media freed once');
is(join(' ', sort keys %{$crowd->{codes}}), '1012',
    'nobody lost a socket in another way');

ok($crowd->leave(), 'all leave, and the core knows');
