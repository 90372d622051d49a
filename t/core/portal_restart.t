#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# No dead binding in the core, and none lost, when nginx is restarted, upgraded
# or its master killed: with a store, and for the upgrade without one.

use warnings;
use strict;

use File::Basename qw(dirname);
use FindBin;
use Test::More;

use lib dirname(__FILE__);
use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/../lib",
    "$FindBin::Bin/../lib";

use IMS::Daemon;
use IMS::Loop;
use Live;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my ($grace, $slack) = (4, 6);

my $t = Test::Nginx->new()->has(qw/ http /);
my $nginx = IMS::Daemon->new($t);
my %conf = (grace => $grace * $IMS::Loop::SLOW . 's', shutdown => '1s',
    server => 'ims_portal_drain 300ms;');
my %store = (%conf, pool => 'store %%TESTDIR%%/acme.store;');
my $live = Live->new($t, nginx => $nginx, %store);

my $mary = $live->open('mary');
my $bob = $live->open('bob');

$live->known('at first', $mary, $bob);

# each time somebody else does not come back

sub ends {
    my ($name, $end) = @_;
    my $gone = $live->open("gone-$name");

    $live->known($name, $gone);
    $end->();
    IMS::Loop::wait_for(sub { !grep { $_->{sock} } $mary, $bob, $gone }, 5);

    ($mary, $bob) = map { $live->soon($_) } $mary, $bob;

    $live->holds("$name: all bindings are there", 0, $mary, $bob, $gone);
    $live->reached("$name: who is back is reached", $mary, $bob);
    $live->holds("$name: who is not back has no binding", $grace + $slack,
        $mary, $bob);
}

ends('stop', sub {
    ok($nginx->end('TERM'), 'stopped');
    is($nginx->start(), '', 'started');
});

ends('quit', sub {
    ok($nginx->end('QUIT', 15), 'quit');
    is($nginx->start(), '', 'started');
});

ends('killed', sub {
    ok($nginx->end('KILL'), 'all killed');
    is($nginx->start(), '', 'started');
});

# workers without a master: they serve, and one who leaves is not forgotten

ends('master killed', sub {
    my @workers = $nginx->workers();
    my $master = $nginx->master();

    kill 'KILL', $master;
    $nginx->gone(5, $master);
    $live->reached('workers alone: all are reached', $mary, $bob);

    my $brief = $live->open('brief');
    $live->known('workers alone', $brief);
    $brief->close(1000);
    ok(IMS::Loop::wait_for(sub { !$live->contacts()->{$brief->{impu}} },
        $slack), 'workers alone: de-registered');

    kill 'TERM', @workers;
    ok($nginx->gone(5, @workers), 'they end');
    is($nginx->start(), '', 'started');
});

sub upgrades {
    my ($name) = @_;

    ends($name, sub {
        my ($old, $new) = $nginx->upgrade();

        ok($new, "$name: upgraded");
        $live->reached("$name: beside the old", $mary, $bob);
        kill 'QUIT', $old;
        ok($nginx->gone(10, $old), "$name: the old one is gone");
    });
}

upgrades('USR2');

# without a store, too

$_->close(1000) for $mary, $bob;
$live->holds('nobody is left', $slack, ());
ok($nginx->end('TERM'), 'stopped');
$live->configure(%conf);
is($nginx->start(), '', 'started without a store');

$mary = $live->open('mary');
$bob = $live->open('bob');
$live->known('without a store', $mary, $bob);

upgrades('USR2 without a store');

$_->close(1000) for $mary, $bob;
$live->holds('nobody is left', $slack, ());
ok($nginx->end('QUIT', 15), 'ended');

is(join("\n", $t->read_file('error.log') =~ /\[alert\].*/g), '', 'no alert');

done_testing();
