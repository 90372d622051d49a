package Soak::Check;

# Copyright (C) the IMS portal authors

# What must hold all the time, and what must be left at the end: nothing.

use warnings;
use strict;

our ($operator, $core, @browsers);

my (%had, @sizes);

# a browser has been told who it is

sub leased {
    my ($browser) = @_;

    my ($user, $impu) = @$browser{qw/ user impu /};

    for my $other (@browsers) {
        next if $other->{user} eq $user || !$other->{impu}
            || $other->{impu} ne $impu
            || $other->{state} !~ /^(connect|register|ready)$/;

        Soak::Book::wrong($browser->name() . " and " . $other->name()
            . " are both $impu");
    }

    # sticky: the pool has enough for everybody

    Soak::Book::wrong("$user was $had{$user} and is $impu now")
        if $had{$user} && $had{$user} ne $impu && $had{$user} =~ /^sip:u/;
    $had{$user} = $impu;
}

# a fresh start: who was whom does not matter any more

sub fresh { %had = () }

# memory that is a process's own, KiB

sub size {
    my ($pid) = @_;

    open my $fh, '<', "/proc/$pid/status" or return;
    local $/;
    return (readline $fh) =~ /^RssAnon:\s+(\d+)/m ? $1 : undef;
}

# sizes of all processes, from time to time

sub measure {
    my %now;

    $now{'nginx master'} = size($operator->{master});

    my $n = 0;
    $now{'nginx worker ' . ++$n} = size($_) for sort { $a <=> $b }
        $operator->workers();

    for my $n (0 .. $#{$operator->{helpers}}) {
        my $pid = $operator->{helpers}[$n] or next;
        $now{'media helper ' . ($n + 1)} = size($pid);
    }

    push @sizes, \%now;
}

sub forget_sizes { @sizes = () }

# each process: size at the beginning and at the end of what was measured, as
# means of a third each

sub growth {
    my $third = int(@sizes / 3) or return;
    my @rows;

    for my $name (sort keys %{$sizes[0]}) {
        my ($first, $last) = map { mean($name, @$_) }
            [ @sizes[0 .. $third - 1] ], [ @sizes[-$third .. -1] ];
        push @rows, [ $name, $first, $last ] if $first && $last;
    }

    return @rows;
}

sub mean {
    my ($name, @of) = @_;
    my $sum = 0;

    for my $size (@of) {
        return unless defined $size->{$name};
        $sum += $size->{$name};
    }

    return $sum / @of;
}

# UDP ports of the helpers that are open

sub ports {
    my ($min, $max) = $operator->ports();
    my $open = 0;

    for my $file ('/proc/net/udp', '/proc/net/udp6') {
        open my $fh, '<', $file or next;

        while (my $line = <$fh>) {
            next unless $line =~ /^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) /;
            my $port = hex $1;
            $open++ if $port >= $min && $port <= $max;
        }
    }

    return $open;
}

sub helper_calls {
    my @calls;

    for my $i (0 .. $#{$operator->{helpers}}) {
        my $list = $operator->ask_helper($i, command => 'list', limit => 9999);
        push @calls, $list ? @{$list->{calls}} : 'no answer';
    }

    return @calls;
}

# what is left, by name; all of it is to be 0

sub left {
    my $status = $operator->status() or return ('no status' => 1);
    my $pool = $status->{pools}[0];

    return (
        'sessions of workers' => $status->{worker}{sessions},
        'transactions of workers' => $status->{worker}{transactions},
        'bindings in the zone' => $pool->{bindings},
        'dialogs in the zone' => $pool->{dialogs},
        'texts in the zone' => $pool->{texts_used},
        'sockets in the zone' => $pool->{sockets},
        'calls at the helpers' => scalar @{[ helper_calls() ]},
        'ports of the helpers' => ports(),
        'contacts at the core' => scalar $core->contacts(),
        'calls at either end' => scalar Soak::Call::all(),
        'old workers' => $operator->workers() - $Soak::Operator::WORKERS,
    );
}

# log lines of alert and above that nobody ordered

sub alerts {
    my ($killed) = @_;

    open my $fh, '<', "$operator->{dir}/error.log" or return 'no error log';

    my @lines = grep { /\[(alert|crit|emerg)\]/
        || /\w+Sanitizer|runtime error:/ } <$fh>;

    return grep {
        !(/worker process (\d+) exited on signal 9/ && $killed->{$1})
            && !(/shared memory zone "[^"]+" was locked by (\d+)/
                && $killed->{$1})
    } @lines;
}

1;
