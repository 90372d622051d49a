#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Restarts of a portal with a store, in every way that it may end: who comes
# back goes on with identity, registration and calls, from either side; who does
# not is ended when the grace time is over.

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
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my ($idle, $calls) = (10, 6);

my $t = Test::Nginx->new()->has(qw/ http /)->plan(65);

my $jwt = IMS::JWT->new($t);
my $nginx = IMS::Daemon->new($t);
my $grace = 3 * $IMS::Loop::SLOW;

sub conf {
    my (%o) = @_;

    $t->write_file_expand('nginx.conf', $nginx->conf(ims_conf(workers => 2,
        grace => "${grace}s", media => 'unix:%%TESTDIR%%/ng.sock',
        pool => 'store %%TESTDIR%%/acme.store;', shutdown => '1s', %o)));
}

conf();

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

is($nginx->start(), '', 'started');

my $core = IMS::Core->new()->registrar();
my $crowd = IMS::Crowd->new(jwt => $jwt, core => $core);

$crowd->join_in('idle', $idle);

my @busy = $crowd->join_in('busy', $calls);
my $half = $calls / 2;

is($crowd->call(1, @busy[0 .. $half - 1])
    + $crowd->call(0, @busy[$half .. $#busy]), $calls, 'calls are up');

my %contact = map { $_ => $core->{registered}{$_}{contact} }
    keys %{$core->{registered}};

sub status {
    my $r = IMS::Browser::api('GET', path => '/ims/status');

    return $r->{json}{pools}[0]{$_[0]};
}

# one more of each kind, who is not there afterwards; what is left of them is
# ended

sub with_orphans {
    my ($name, $stop) = @_;
    my $before = $core->seen('REGISTER');
    my ($lazy, $cut) = $crowd->join_in("$name-orphan", 2);

    $crowd->call(1, $cut);
    $ng->{log} = [];
    $crowd->lose($lazy, $cut);
    $stop->();

    ok($crowd->settle(10, $idle + $calls), "$name: all are back");
    is($crowd->within('INFO', 1, @busy), $calls, "$name: calls, from the core");
    is($crowd->within('INFO', 0, @busy), $calls,
        "$name: calls, from the browsers");
    is($crowd->reached(), $idle + $calls, "$name: all are reached");

    my $bye = $core->expect('BYE', $grace + 3);

    ok($bye, "$name: BYE for who is not back");
    $core->reply($bye, 200, 'OK');
    ok(IMS::Loop::wait_for(sub {
        keys %{$core->{registered}} == $idle + $calls
    }, 5), "$name: de-registered");
    is(join(' ', grep { $core->{registered}{$_}{contact} ne $contact{$_} }
        keys %contact), '', "$name: the others have the same Contact");
    $ng->wait_for('delete', 1);
    is(scalar $ng->seen('delete'), 1, "$name: his media is freed");
    is($core->seen('REGISTER') - $before, 4, "$name: no other REGISTER");
    ok(IMS::Loop::wait_for(sub { status('bindings') == $idle + $calls
        && status('dialogs') == $calls }, 5), "$name: nothing is left of him");
}

with_orphans('stop', sub {
    ok($nginx->end('TERM'), 'stopped');
    is($nginx->start(), '', 'started again');
});

with_orphans('quit', sub {
    ok($nginx->end('QUIT', 20), 'quit');
    is($nginx->start(), '', 'started again');
});

with_orphans('kill', sub {
    ok($nginx->end('KILL'), 'all killed');
    is($nginx->start(), '', 'started again');
});

# the master alone is killed: its workers go on, and are in the way of another

my @workers = $nginx->workers();

kill 'KILL', $nginx->master();
$nginx->gone(5, $nginx->master());
is($crowd->within('INFO', 1, @busy), $calls, 'master killed: calls go on');
is($crowd->within('INFO', 0, @busy), $calls, 'from either side');
is($crowd->reached(), $idle + $calls, 'all are reached');
like($nginx->start(), qr/bind\(\).*failed/, 'its workers hold the sockets');
is($crowd->reached(), $idle + $calls, 'who tried did no harm');

with_orphans('orphans', sub {
    kill 'TERM', @workers;
    ok($nginx->gone(5, @workers), 'its workers end');
    is($nginx->start(), '', 'started again');
});

is(join(' ', $crowd->mixed_up()), '', 'all are who they were');

# with another size and other identities: a call goes on, and who has an
# identity that went keeps it while he is there

conf(zone => '2m', identity => 'sip:u[005-200]@acme.ims.operator.example');
ok($nginx->end('TERM'), 'stopped');
is($nginx->start(), '', 'started with a larger zone and fewer identities');
ok($crowd->settle(10, $idle + $calls), 'all are back');
is($crowd->within('INFO', 1, @busy), $calls, 'calls go on');
is(join(' ', $crowd->mixed_up()), '', 'all are who they were');

is($crowd->within('BYE', 1, @busy[0 .. $half - 1])
    + $crowd->within('BYE', 0, @busy[$half .. $#busy]), $calls,
    'each call is hung up');

ok($crowd->leave(), 'all leave, and the core knows');
ok(IMS::Loop::wait_for(sub { !status('bindings') && !status('dialogs') }, 5),
    'nothing is left');
ok($nginx->end('QUIT', 20), 'ended');

# a sub holds it: the two tests of its own come now, not too late

undef $t;
