#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# No dead binding in the core: whatever becomes of a browser, of its way to us
# or of our workers, the S-CSCF's list has exactly the live browsers, at once
# or after the grace time.

use warnings;
use strict;

use File::Basename qw(dirname);
use FindBin;
use Test::More;

# a filter on a socket may need a capability: that of a network of our own

BEGIN {
    if ($> != 0 && !$ENV{IMS_NETNS}) {
        $ENV{IMS_NETNS} = 1;

        my @own = qw/ unshare -cn --keep-caps /;

        exec @own, 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh', $^X, $0
            if system(@own, 'true') == 0;
    }
}

use lib dirname(__FILE__);
use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/../lib",
    "$FindBin::Bin/../lib";

use IMS::Loop;
use Live;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

# seconds; a loss is seen after three pings of half a second

my $grace = 2;
my $unseen = 2;
my $slack = 4;

my $t = Test::Nginx->new()->has(qw/ http /);
my $live = Live->new($t, grace => $grace * $IMS::Loop::SLOW . 's',
    server => 'ims_portal_ping 500ms misses=2; ims_portal_drain 500ms;',
    listen => '127.0.0.1:8080 reuseport');

# one who stays all along

my $stays = $live->open('stays');

# who goes, each in a way of his own

my %go = (
    closes => sub { $_[0]->close(1001); return 'close frame' },
    drops => sub { $_[0]->drop(); return 'socket closed' },
    crashes => sub { Live::crash($_[0]); return 'browser crashed' },
    unplugged => sub { $_[0]{held} = Live::unplug($_[0]); 'cable pulled' },
    frozen => sub { $_[0]{held} = Live::freeze($_[0]); 'browser frozen' },
);

my %who = map { $_ => $live->open($_) } sort keys %go;

$live->known('before', $stays, map { $who{$_} } sort keys %who);

my %how = map { $_ => $go{$_}->($who{$_}) } sort keys %go;

$live->holds('all are listed in the grace time', 0, $stays, values %who);

# who comes back is the binding that he was

my %back = map { $_ => $live->again($who{$_}) } sort keys %go;
$back{$_}{contact_at_core} = $who{$_}{contact_at_core} for keys %back;

IMS::Loop::pause($unseen + $grace);
$live->holds('who is back has his binding', 0, $stays, values %back);
$live->reached('and is reached by it', $stays, values %back);

# who does not is not in the list

for my $who (sort keys %go) {
    $go{$who}->($back{$who});
    delete $who{$who}{held};
}

ok(IMS::Loop::wait_for(sub {
    my $of = $live->contacts();
    return !grep { $of->{$_->{impu}} } $back{closes};
}, $slack), 'close frame: no binding within seconds');

IMS::Loop::wait_for(sub { keys %{$live->contacts()} == 1 },
    $unseen + $grace + $slack);

my $of = $live->contacts();

is(join(' ', @{$of->{$back{$_}{impu}} || []}), '',
    "$how{$_}, and not back: no binding") for sort keys %go;
$live->holds('who stayed is the only one', 0, $stays);

# another browser of the same user takes the place of a dead one

my $old = $live->open('mary');
$live->known('mary', $old);
Live::crash($old);

my $new = $live->open('mary');
my ($other) = grep { $_ ne $old->{contact_at_core} }
    @{$live->contacts()->{$new->{impu}}};
$new->{contact_at_core} = $other;
$live->holds('crash, new instance: both at first', 0, $stays, $old, $new);
$live->holds('then the new one', $grace + $slack, $stays, $new);
$live->reached('which is reached', $stays, $new);

# on another worker, while the old socket seems to be alive

my $held = Live::unplug($new);
my $moved = $live->again($new, elsewhere => 1);

isnt($moved->{worker}, $new->{worker}, 'at another worker');
$moved->{contact_at_core} = $other;
IMS::Loop::pause($unseen + $grace);
$live->holds('another worker: the same binding', 0, $stays, $moved);
$live->reached('another worker: reached', $stays, $moved);
undef $held;

# workers are killed: one, then all

my $bob = $live->open('bob');
my $eve = $live->open('eve');
$live->known('workers killed', $bob, $eve);

my @killed = map { $_->{worker} } $moved, $stays;
kill 'KILL', $moved->{worker};
is($moved->closed(), 1006, 'worker killed');
$live->holds('all bindings are there', 0, $stays, $moved, $bob, $eve);

my @all = Live::workers($t->{master});
push @killed, @all;
kill 'KILL', @all;
IMS::Loop::wait_for(sub { !grep { $_->{sock} } $stays, $bob, $eve }, 5);

$stays = $live->soon($stays);
$bob = $live->soon($bob);
$live->holds('all workers killed: who is back, and who may come yet', 0,
    $stays, $moved, $bob, $eve);
$live->holds('who is not back in time has no binding', $grace + $slack,
    $stays, $bob);
$live->reached('who is back is reached', $stays, $bob);

# a reload: one comes back, one does not

$eve = $live->open('eve');
$live->known('reload', $eve);
$t->reload();
is(join(' ', map { $_->closed(5) // 'open' } $stays, $bob, $eve),
    '1012 1012 1012', 'reload: sent away');
$stays = $live->soon($stays);
$bob = $live->soon($bob);
$live->holds('reload: who may come is listed', 0, $stays, $bob, $eve);
$live->holds('reload: who does not is not', $grace + $slack, $stays, $bob);
$live->reached('reload: who did is reached', $stays, $bob);

# a page that leaves for good

is($stays->register(expires => 0)->{code}, 200, 'de-registered');
$live->holds('de-registered: at once', 0, $bob);
$bob->close(1000);
$live->holds('nobody is left', $slack, ());

$t->stop();

my %killed = map { $_ => 1 } @killed;

is(join("\n", grep { !/worker process (\d+) exited on signal 9/
    || !$killed{$1} } $t->read_file('error.log') =~ /\[alert\].*/g), '',
    'no alert but of the killed');

done_testing();
