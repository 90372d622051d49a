#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Media goes on when nginx does not: packets flow through the helper in calls
# over the real core while nginx is reloaded five times, moves them, and is
# killed.

use warnings;
use strict;

use File::Basename qw(dirname);
use FindBin;
use Test::More;

use lib dirname(__FILE__);
use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/../lib",
    "$FindBin::Bin/../lib";

use Calls;
use Flow;
use IMS::Browser;
use IMS::Loop;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $count = 4;
my $t = Test::Nginx->new()->has(qw/ http /);
my $calls = Calls->new($t, conf => { workers => 2, shutdown => '60s',
    grace => 5 * $IMS::Loop::SLOW . 's', server => 'ims_portal_drain 300ms;' });
my $far = $calls->{far};
my $port = Flow::echo($t);

my @flows = map { Flow->call($calls, $calls->browser(user => "user$_"), $port) }
    1 .. $count;

is(join(' ', map { $_->{state} } @flows), join(' ', ('connected') x $count),
    'media is up');

sub goes_on {
    my ($name) = @_;
    my @now = map { $_->now() } @flows;

    is(scalar(grep { $_->{sent} > 10 && $_->{received} > 10 } @now), $count,
        "$name: packets flow");
    is(scalar(grep { $_->{gap} > 100 } @now), 0, "$name: no gap");
    is(scalar(grep { $_->{delay} > 100 * $IMS::Loop::SLOW } @now), 0,
        "$name: none is late")
        or diag(join ' ', map { $_->{delay} } @now);
}

# in each call, from either end

sub info {
    my ($name) = @_;
    my $good = 0;

    for my $flow (@flows) {
        my ($who, $r) = ($flow->{browser});

        $far->within($flow->{far}, 'INFO');
        $who->reply($r, 200, 'OK') if $r = $who->expect('INFO', 3);
        $good++ if ($far->final('INFO', 3)->{code} || 0) == 200;

        $who->within($flow->{web}, 'INFO');
        $far->reply($r, 200, 'OK') if $r = $far->expect('INFO', 3);
        $good++ if ($who->final('INFO', 3)->{code} || 0) == 200;
    }

    is($good, 2 * $count, "$name: signalling, from either end");
}

sub workers { return split ' ', `ps -o pid= --ppid $t->{master}` }

sub back {
    my ($name) = @_;

    for my $flow (@flows) {
        my $was = $flow->{browser};

        $was->closed(8);
        $flow->{browser} = IMS::Browser->open(instance => $was->{instance},
            host => $was->{host}, lease => 0, impu => $was->{impu},
            token => $flow->{token});
        $flow->{browser}->register();
    }
}

$flows[$_]{token} = $calls->{jwt}->token('user' . ($_ + 1)) for 0 .. $#flows;

IMS::Loop::pause(0.5);
goes_on('at first');

for my $n (1 .. 5) {
    my %was = map { $_ => 1 } workers();

    $t->reload();
    IMS::Loop::wait_for(sub { 2 == grep { !$was{$_} } workers() }, 5);
    IMS::Loop::pause(0.5);
}

goes_on('five reloads');
info('five reloads');

# all workers killed

my @killed = workers();

kill 'KILL', @killed;
back();
goes_on('workers killed');
info('workers killed');

# what would be seen if it were not so: the helper itself stands still

my ($helper) = map { /^\s*(\d+) .*media-helper -d/ ? $1 : () }
    `ps -o pid=,args= --ppid $$`;

kill 'STOP', $helper;
IMS::Loop::pause(0.5);
kill 'CONT', $helper;
is(scalar(grep { $_->now()->{gap} > 100 } @flows), $count,
    'a gap is seen where there is one');

# hang up

my $half = $count / 2;
my $good = 0;

for my $n (0 .. $#flows) {
    my $flow = $flows[$n];
    my ($from, $dialog, $to) = $n < $half
        ? ($far, $flow->{far}, $flow->{browser})
        : ($flow->{browser}, $flow->{web}, $far);

    $from->within($dialog, 'BYE');
    $to->reply($to->expect('BYE'), 200, 'OK');
    $good++ if ($from->final('BYE')->{code} || 0) == 200;
}

is($good, $count, 'each call is hung up');
$calls->clean('at last');
is($_->{browser}->register(expires => 0)->{code}, 200, 'left') for @flows;
$_->{browser}->close() for @flows;
$calls->done();
$t->stop();

my %killed = map { $_ => 1 } @killed;

is(join("\n", grep { !/worker process (\d+) exited on signal 9/
    || !$killed{$1} } $t->read_file('error.log') =~ /\[alert\].*/g), '',
    'no alert but of the killed');

done_testing();
