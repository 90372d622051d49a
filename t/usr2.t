#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Binary upgrades with calls and racing log-ins: both masters' workers serve one
# truth.  No identity is given twice, calls go on, whichever worker hears the
# core; the old ones drain as in a reload.  First one that is taken back.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Conf;
use IMS::Core;
use IMS::Crowd;
use IMS::Daemon;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use POSIX ();
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my ($idle, $calls, $racing) = (30, 20, 50);

my $t = Test::Nginx->new()->has(qw/ http /)->plan(39);

my $jwt = IMS::JWT->new($t);
my $nginx = IMS::Daemon->new($t);

sub conf {
    my ($shutdown) = @_;

    $t->write_file_expand('nginx.conf', $nginx->conf(ims_conf(workers => 2,
        zone => '4m', shutdown => $shutdown, server => 'ims_portal_drain 1s;',
        grace => 5 * $IMS::Loop::SLOW . 's',
        identity => 'sip:u[0001-1000]@acme.ims.operator.example',
        media => 'unix:%%TESTDIR%%/ng.sock')));
}

conf('60s');

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

is($nginx->start(), '', 'started');

my $core = IMS::Core->new()->registrar();
my $crowd = IMS::Crowd->new(jwt => $jwt, core => $core);

$crowd->join_in('idle', $idle);

my @busy = $crowd->join_in('busy', $calls);
my $half = int $calls / 2;

is($crowd->call(1, @busy[0 .. $half - 1])
    + $crowd->call(0, @busy[$half .. $#busy]), $calls, 'calls are up');

sub go_on {
    my ($name) = @_;

    is($crowd->within('INFO', 1, @busy), @busy, "$name: calls, from the core");
    is($crowd->within('INFO', 0, @busy), @busy, "$name: calls, from browsers");
}

# Log-ins in processes of their own, from now on; the identities that they got.

sub race {
    my ($name, $count) = @_;
    my @pipes;

    for my $child (1 .. 5) {
        my @tokens = map { $jwt->token("$name$child-$_") } 1 .. $count / 5;
        my $pid = open(my $pipe, '-|') // die "can't fork: $!\n";

        if ($pid == 0) {
            for my $token (@tokens, reverse @tokens) {
                my $r = eval { IMS::Browser::api('POST', token => $token) };
                my $who = $r && $r->{json} && $r->{json}{identity};
                syswrite STDOUT, ($who || 'none') . "\n";
                select undef, undef, undef, 0.03;
            }

            POSIX::_exit(0);
        }

        push @pipes, $pipe;
    }

    return sub {
        my %got;
        map { $got{$_}++ } map { my $f = $_; map { chomp; $_ } <$f> } @pipes;
        return \%got;
    };
}

sub not_twice {
    my ($name, $got) = @_;

    is(scalar(keys %$got), $racing, "$name: an identity for each log-in");
    is(join(' ', grep { $got->{$_} != 2 } keys %$got), '',
        "$name: the same one again");

    my %has = map { $_->{impu} => 1 } values %{$crowd->{members}};
    is(join(' ', grep { $has{$_} } keys %$got), '', "$name: nobody else's");
}

# an upgrade that is taken back: the old master's workers go, and come again

my $result = race('a', $racing);
my ($old, $new) = $nginx->upgrade();

ok($new, 'upgraded');
go_on('beside the old');
kill 'WINCH', $old;
ok($crowd->settle(10, $idle), 'WINCH: idle ones are back');
go_on('WINCH');
not_twice('first race', $result->());

kill 'HUP', $old;
ok(IMS::Loop::wait_for(sub { $nginx->workers($old) > 2 }, 5),
    'HUP: the old master has new workers');
kill 'QUIT', $new;
ok($crowd->settle(10, $idle), 'QUIT to the new master: idle ones are back');
ok($nginx->gone(10, $new), 'the new master is gone');
go_on('taken back');

# one that stays: calls keep their old workers

conf('1s');
$result = race('b', $racing);
($old, $new) = $nginx->upgrade();

ok($new, 'upgraded again');
kill 'QUIT', $old;
ok($crowd->settle(10, $idle), 'QUIT to the old master: idle ones are back');
go_on('behind the upgrade');
not_twice('second race', $result->());

my @ends = splice @busy, 0, $half;

is($crowd->within('BYE', 1, @ends[0 .. $half / 2 - 1])
    + $crowd->within('BYE', 0, @ends[$half / 2 .. $#ends]), $half,
    'half of the calls are hung up');
ok($crowd->settle(10, $half), 'who was in one moves');
ok(IMS::Daemon::runs($old), 'the old master stays for the others');
is($crowd->within('BYE', 0, @busy), @busy, 'the others hang up');
ok($crowd->settle(10, scalar @busy), 'and move');
ok($nginx->gone(10, $old), 'the old master is gone');

# and one that may not wait: calls move

$crowd->call(1, @busy);
($old, $new) = $nginx->upgrade();
kill 'QUIT', $old;
ok($crowd->settle(10, $idle + $calls), 'worker_shutdown_timeout: all move');
go_on('moved');
is($crowd->within('BYE', 1, @busy), @busy, 'hung up');
ok($nginx->gone(15, $old), 'the old master is gone');

cmp_ok(IMS::Browser::api('GET', path => '/ims/status')
    ->{json}{pools}[0]{handed_over}, '>', 0, 'requests were handed over');
is(join(' ', $crowd->mixed_up()), '', 'all are who they were');
is(scalar $core->seen('REGISTER'), $idle + $calls,
    'the core had one REGISTER of each');
$ng->wait_for('delete', $calls + @busy);
is(scalar $ng->seen('delete'), $calls + @busy, 'all media freed once');

ok($crowd->leave(), 'all leave, and the core knows');
$nginx->end('QUIT');

# a sub holds it: the two tests of its own come now, not too late

undef $t;
