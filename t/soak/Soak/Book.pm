package Soak::Book;

# Copyright (C) the IMS portal authors

# What was counted, what was wrong, and when the operator did what: an answer
# that is not the usual one is judged by what was going on at that time.

use warnings;
use strict;

our (%count, %answers, @wrong, @log, @faults, $file);

# so many lines of what was done are kept, for the report of a failure
my $TAIL = 200;

sub count { $count{$_[0]} += defined $_[1] ? $_[1] : 1 }

sub did {
    my ($text) = @_;

    push @log, sprintf '%8.3f %s', Soak::Loop::now(), $text;
    shift @log if @log > $TAIL;
    print $file "$log[-1]\n" if $file;
}

# something that must never be

sub wrong {
    my ($text) = @_;

    did("WRONG: $text");
    push @wrong, sprintf '%.3f s: %s', Soak::Loop::now(), $text;
}

# a fault of this kind lasts from now for some seconds

sub fault {
    my ($kind, $seconds) = @_;
    my $now = Soak::Loop::now();

    push @faults, [ $kind, $now, $now + $seconds ];
    did("fault: $kind for $seconds s");
}

# the faults between two times; kinds: only those

sub faults {
    my ($from, $until, @kinds) = @_;

    return grep {
        my $kind = $_->[0];
        $_->[2] >= $from && $_->[1] <= $until
            && (!@kinds || grep { $_ eq $kind } @kinds);
    } @faults;
}

# the answer to something; usual: codes that may always be

sub answer {
    my ($what, $code, @usual) = @_;

    my $now = Soak::Loop::now();
    my $kind = (grep { $code =~ /^$_$/ } @usual) ? 'usual'
        : faults($now - 8, $now) ? 'fault' : 'calm';

    $answers{$what}{$code}{$kind}++;
    did("$what: $code in calm") if $kind eq 'calm';
}

# the table of the end

sub table {
    my @lines = sprintf '%-24s %-8s %7s %7s %7s', 'answers to', 'code',
        'usual', 'faults', 'calm';

    for my $what (sort keys %answers) {
        for my $code (sort keys %{$answers{$what}}) {
            push @lines, sprintf '%-24s %-8s %7s %7s %7s', $what, $code,
                map { $answers{$what}{$code}{$_} || '' }
                qw/ usual fault calm /;
        }
    }

    return @lines;
}

1;
