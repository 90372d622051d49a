package Soak::Plan;

# Copyright (C) the IMS portal authors

# What is going to happen, all of it drawn before the start from one seed: the
# same seed, length and number of browsers give the same plan, whatever the
# machine makes of its timing.

use warnings;
use strict;

use Digest::SHA qw/ sha1_hex /;

# dice of our own, the same in every Perl: xorshift32

sub new {
    my ($class, $seed) = @_;

    my $self = bless { x => ($seed * 2654435761 + 88172645) & 0xffffffff },
        $class;
    $self->{x} ||= 1;
    $self->roll() for 1 .. 16;

    return $self;
}

sub roll {
    my ($self) = @_;
    my $x = $self->{x};

    $x ^= $x << 13 & 0xffffffff;
    $x ^= $x >> 17;
    $x ^= $x << 5 & 0xffffffff;

    return $self->{x} = $x;
}

# a number between two, in ms

sub real {
    my ($self, $min, $max) = @_;

    return int(1000 * $min + $self->roll() % (1000 * ($max - $min) + 1)) / 1000;
}

sub below { return $_[0]->roll() % $_[1] }

# one of several, with weights: name => weight

sub pick {
    my ($self, @weights) = @_;
    my $sum = 0;

    for (my $i = 1; $i < @weights; $i += 2) { $sum += $weights[$i] }

    my $at = $self->below($sum);

    while (my ($name, $weight) = splice @weights, 0, 2) {
        return $name if $at < $weight;
        $at -= $weight;
    }
}

my @ACTIONS = (up => 30, down => 30, message_up => 8, message_down => 8,
    refresh => 4, drop => 9, page => 6, leave => 3, vanish => 4);

# of the operator; each is done once before any is done again

my @FAULTS = qw/ reload kill_worker reload_pool stop_helper kill_helper
    core_silent kill_worker core_forgets upgrade kill_helper core_refuses
    rollback restart kill_worker crash reload /;

# seed; seconds of it; browsers: how many. calm: s of it without faults at the
# end. The events, in order: [ s, who, what, { details } ]; who is a browser's
# number, or "operator".

sub draw {
    my (%o) = @_;

    my $dice = Soak::Plan->new($o{seed});
    my @events;

    for my $n (0 .. $o{browsers} - 1) {
        push @events, browser($dice, $n, $o{seconds});
    }

    push @events, faults($dice, $o{seconds} - $o{calm});

    my $i = 0;
    my %order = map { $_ => $i++ } @events;

    return sort { $a->[0] <=> $b->[0] || $order{$a} <=> $order{$b} } @events;
}

sub browser {
    my ($dice, $n, $seconds) = @_;

    my $t = $dice->real(0.2, 3);
    my @events = [ $t, $n, 'arrive', {} ];

    while (($t += $dice->real(0.5, 7)) < $seconds) {
        my $what = $dice->pick(@ACTIONS);
        my %o;

        if ($what =~ /^(up|down)$/) {
            %o = call($dice);

        } elsif ($what =~ /^(drop|page|leave|vanish)$/) {
            $o{away} = $what eq 'vanish' || $what eq 'leave'
                ? $dice->real(5, 9) : $dice->real(0.02, 2);
            $t += $o{away};
        }

        $o{device} = $dice->below(8) if $what =~ /down/;
        push @events, [ $t, $n, $what, \%o ];
    }

    return @events;
}

# a call: how it goes, and what is said in it

sub call {
    my ($dice) = @_;

    my %o = (ring => $dice->real(0.05, 1.5), talk => $dice->real(1, 12),
        goes => $dice->pick(answer => 80, busy => 7, cancel => 13),
        ends => $dice->pick(web => 1, core => 1), say => []);

    for (1 .. $dice->below(4)) {
        push @{$o{say}}, [ $dice->real(0.2, $o{talk}),
            $dice->pick(web => 1, core => 1),
            $dice->pick(INFO => 3, INVITE => 2) ];
    }

    return %o;
}

sub faults {
    my ($dice, $seconds) = @_;
    my (@events, @deck);
    my $t = 5;

    while ($t < $seconds) {
        @deck = map { $_->[1] } sort { $a->[0] <=> $b->[0] }
            map { [ $dice->roll(), $_ ] } @FAULTS unless @deck;

        push @events, [ $t, 'operator', shift @deck,
            { which => $dice->below(64), for => $dice->real(0.3, 2) } ];
        $t += $dice->real(2, 5.5);
    }

    return @events;
}

# as a line, to be read or compared

sub line {
    my ($event) = @_;
    my ($at, $who, $what, $o) = @$event;

    return sprintf '%8.3f %-8s %s', $at, $who, join ' ', $what,
        map { "$_=" . (ref $o->{$_} ? join ',', map { join ':', @$_ }
            @{$o->{$_}} : $o->{$_}) } sort keys %$o;
}

sub digest { return substr sha1_hex(map { line($_) . "\n" } @_), 0, 12 }

1;
