#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# All workers are killed at once: everybody comes back within seconds, is who
# he was, calls go on, and the core hears next to nothing of it.

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
my $calls = $ENV{TEST_IMS_CALLS} || 10;
my $all = $idle + $calls;

my $t = Test::Nginx->new()->has(qw/ http /)->todo_alerts()->plan(18);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(workers => 2, zone => '8m',
    identity => 'sip:u[0001-1000]@acme.ims.operator.example',
    grace => 5 * $IMS::Loop::SLOW . 's', media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $crowd = IMS::Crowd->new(jwt => $jwt, core => $core);

$crowd->join_in('idle', $idle);

my @busy = $crowd->join_in('busy', $calls);
my $half = int $calls / 2;

is(scalar(keys %{$core->{registered}}), $all, 'all registered');
is($crowd->call(1, @busy[0 .. $half - 1])
    + $crowd->call(0, @busy[$half .. $#busy]), $calls, 'calls are up');

sub status {
    my $r = IMS::Browser::api('GET', path => '/ims/status');

    return $r->{json}{pools}[0]{$_[0]};
}

my @killed;

for my $round (1, 2) {
    my @workers = ims_workers($t);
    my $came = $crowd->came();

    is(kill('KILL', @workers), 2, "workers killed $round");
    push @killed, @workers;
    ok($crowd->settle(10, $all), "all are back $round");
    is($crowd->came() - $came, $all, "each once $round");
    is($crowd->within('INFO', $round == 1, @busy), $calls,
        "calls go on $round");
}

is(join(' ', $crowd->mixed_up()), '', 'all are who they were');
is(status('bindings'), $all, 'one binding of each');
is(status('dialogs'), $calls, 'one dialog of each call');
is(scalar $core->seen('REGISTER'), $all, 'the core had one REGISTER of each');

is($crowd->within('BYE', 1, @busy[0 .. $half - 1])
    + $crowd->within('BYE', 0, @busy[$half .. $#busy]), $calls,
    'each call is hung up');
$ng->wait_for('delete', $calls);
is(scalar $ng->seen('delete'), $calls, 'all media freed once');

ok($crowd->leave(), 'all leave, and the core knows');

my %killed = map { $_ => 1 } @killed;

is(join("\n", grep { !/worker process (\d+) exited on signal 9/
    || !$killed{$1} } $t->read_file('error.log') =~ /\[alert\].*/g), '',
    'no alert but of the killed');
