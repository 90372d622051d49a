package Soak::Loop;

# Copyright (C) the IMS portal authors

# One process, many sockets, many clocks: who is readable is told, and what is
# due is called, in the order of time.

use warnings;
use strict;

use Time::HiRes qw/ time /;

my (%reader, @timers, %dead);
my ($bits, $serial, $start) = ('', 0, time());

# s since the start

sub now { return time() - $start }

sub watch {
    my ($fh, $handler) = @_;

    $reader{fileno $fh} = $handler;
    vec($bits, fileno $fh, 1) = 1;
}

# before it is closed

sub unwatch {
    my ($fh) = @_;

    defined fileno $fh or return;
    delete $reader{fileno $fh};
    vec($bits, fileno $fh, 1) = 0;
}

# calls it after some seconds; the timer, for cancel()

sub after {
    my ($seconds, $handler) = @_;

    my $timer = [ now() + $seconds, ++$serial, $handler ];
    my ($low, $high) = (0, scalar @timers);

    while ($low < $high) {
        my $mid = int(($low + $high) / 2);

        if ($timers[$mid][0] <= $timer->[0]) {
            $low = $mid + 1;

        } else {
            $high = $mid;
        }
    }

    splice @timers, $low, 0, $timer;

    return $timer;
}

sub cancel {
    my ($timer) = @_;

    $timer->[2] = undef if $timer;
}

# until the code says so, or for some seconds; true when the code did

sub run {
    my ($seconds, $done) = @_;
    my $until = now() + $seconds;

    while (1) {
        return 1 if $done && $done->();

        my $now = now();

        while (@timers && $timers[0][0] <= $now) {
            my $timer = shift @timers;
            $timer->[2]->() if $timer->[2];
        }

        $now = now();
        return 0 if $now >= $until;

        my $wait = $until - $now;
        $wait = $timers[0][0] - $now
            if @timers && $timers[0][0] - $now < $wait;
        $wait = 0.2 if $done && $wait > 0.2;

        serve($wait > 0 ? $wait : 0);
    }
}

sub serve {
    my ($wait) = @_;

    select(my $ready = $bits, undef, undef, $wait) > 0 or return;

    for my $fd (keys %reader) {
        vec($ready, $fd, 1) or next;
        my $handler = $reader{$fd} or next;
        $handler->();
    }
}

1;
