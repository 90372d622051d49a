package Soak::Check;

# Copyright (C) the IMS portal authors

# What must hold all the time, and what must be left at the end: nothing.

use warnings;
use strict;

our ($nginx, $helpers, $core, @browsers);

my (%had, @sizes, %base);

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

    # sticky, over restarts too: the pool has enough for everybody, and only
    # those that begin with x leave it now and then

    Soak::Book::wrong("$user was $had{$user} and is $impu now")
        if $had{$user} && $had{$user} ne $impu && $had{$user} =~ /^sip:u/;
    $had{$user} = $impu;
}

sub users { return scalar keys %had }

# memory that is a process's own, KiB

sub size {
    my ($pid) = @_;

    open my $fh, '<', "/proc/$pid/status" or return;
    local $/;
    return (readline $fh) =~ /^RssAnon:\s+(\d+)/m ? $1 : undef;
}

# sizes of all processes, from time to time

sub measure {
    my %now = ('nginx master' => size($nginx->{master}));
    my $n = 0;

    $now{'nginx worker ' . ++$n} = size($_)
        for sort { $a <=> $b } $nginx->serving();
    $n = 0;
    $now{'media helper ' . ++$n} = size($_)
        for grep { defined } @{$helpers->{pids}};

    push @sizes, \%now;
}

# Each process: the largest that it was in the first half of what was measured,
# and in the second.

sub growth {
    my $half = int(@sizes / 2) or return;
    my @rows;

    for my $name (sort keys %{$sizes[0]}) {
        my ($first, $last) = map { largest($name, @$_) }
            [ @sizes[0 .. $half - 1] ], [ @sizes[$half .. $#sizes] ];
        push @rows, [ $name, $first, $last ];
    }

    return @rows;
}

sub largest {
    my ($name, @of) = @_;

    return (sort { $b <=> $a } map { $_->{$name} || 0 } @of)[0];
}

# what is left, by name; all of it is to be 0

sub left {
    my $status = $nginx->status() or return ('no status' => 1);
    my $pool = $status->{pools}[0];

    return (
        'sessions of workers' => $status->{worker}{sessions},
        'transactions of workers' => $status->{worker}{transactions},
        'bindings in the zone' => $pool->{bindings},
        'dialogs in the zone' => $pool->{dialogs},
        'texts in the zone but the names of users'
            => $pool->{texts_used} - $pool->{leased},
        'sockets in the zone' => $pool->{sockets},
        'calls at the helpers' => scalar @{[ $helpers->calls() ]},
        'ports of the helpers' => $helpers->ports(),
        'contacts at the core' => scalar $core->contacts(),
        'calls at either end' => scalar Soak::Call::all(),
        'old workers' => $nginx->workers() - $Soak::Nginx::WORKERS,
        'old masters' => @{$nginx->{masters}} - 1,
    );
}

# The portal counts from its start. What we have counted then is kept, and how
# many calls were on their way: they count here or there.

sub restarting {
    %base = (%Soak::Book::count,
        slack => scalar grep { $_->{at}{web} eq 'answered'
            || $_->{at}{far} eq 'answered' } Soak::Call::all());
}

sub since { return ($Soak::Book::count{$_[0]} || 0) - ($base{$_[0]} || 0) }

# figures of the portal that do not fit to ours

sub reconciled {
    my $pool = $nginx->status()->{pools}[0];
    my $slack = $base{slack} || 0;
    my @bad;

    my $within = sub {
        my ($what, $low, $high) = @_;

        push @bad, "$what is $pool->{$what}, not from $low to $high"
            if $pool->{$what} < $low || $pool->{$what} > $high;
    };

    $within->('calls', since('calls up at both ends') - $slack,
        since('calls answered') + $slack);
    $within->('messages', since('answers of the portal') - $slack,
        since('messages of browsers') + $slack);
    $within->('registers', since('core got REGISTER') - $slack, 1e9);
    $within->('leased', users(), users());

    return @bad;
}

# log lines of alert and above that nobody ordered

sub alerts {
    my ($killed, $hasty) = @$nginx{qw/ killed hasty /};

    open my $fh, '<', "$nginx->{dir}/error.log" or return 'no error log';

    my @lines = grep { /\[(alert|crit|emerg)\]/
        || /\w+Sanitizer|runtime error:/ } <$fh>;

    return grep {
        !(/worker process (\d+) exited on signal 9/ && $killed->{$1}
            || / (\d+)#\d+: (\*\d+ open socket #\d+ left|aborting)/
                && $hasty->{$1})
    } @lines;
}

1;
