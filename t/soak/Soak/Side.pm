package Soak::Side;

# Copyright (C) the IMS portal authors

# What browsers and the core have in common: requests whose answers go to a
# handler, instead of a queue that somebody waits for.

use warnings;
use strict;

use IMS::SIP;

our $T1 = 0.1;          # s; ims_portal_timer_t1 is the same

# who hears the answers of the request that is sent while this is set: called
# with each one, or with undef and why there will be none
our $ANSWERED;

sub send_request {
    my ($self, $msg) = @_;

    unshift @{$msg->{headers}}, [ Via => $self->via() ];

    return $self->client($msg);
}

# a request that has its Via

sub client {
    my ($self, $msg) = @_;

    $self->emit($msg->bytes());
    return $msg if $msg->{method} eq 'ACK';

    my $key = $msg->branch() . " $msg->{method}";
    my $txn = $self->{txns}{$key} = { msg => $msg, answered => $ANSWERED };

    $txn->{over} = Soak::Loop::after($self->patience($msg->{method}), sub {
        $self->forget_txn($key, 'timeout');
    });
    $self->again($txn, $T1) if $self->unreliable();

    return $msg;
}

sub again {
    my ($self, $txn, $interval) = @_;

    $txn->{again} = Soak::Loop::after($interval, sub {
        $self->emit($txn->{msg}->bytes());
        $self->again($txn, $interval < 4 * $T1
            || $txn->{msg}{method} eq 'INVITE' ? 2 * $interval : 8 * $T1);
    });
}

sub forget_txn {
    my ($self, $key, $why) = @_;

    my $txn = delete $self->{txns}{$key} or return;
    Soak::Loop::cancel($txn->{$_}) for qw/ over again /;
    $txn->{answered}->(undef, $why) if $txn->{answered} && $why;
}

# no answer will come to anything

sub forget_all {
    my ($self, $why) = @_;

    $self->forget_txn($_, $why) for keys %{$self->{txns}};
}

# a message that came

sub message {
    my ($self, $bytes, $from) = @_;

    my $msg = IMS::SIP->parse($bytes);

    if (!$msg) {
        Soak::Book::wrong("not SIP: $bytes");
        return;
    }

    $msg->{from} = $from;
    return $self->request($msg) if $msg->{method};

    my $key = $msg->branch() . ' ' . $msg->cseq_method();
    my $txn = $self->{txns}{$key};

    if (!$txn) {
        $self->stray($msg);
        return;
    }

    Soak::Loop::cancel($txn->{again});

    if ($msg->{code} >= 200) {
        $self->forget_txn($key);

    } elsif ($txn->{msg}{method} eq 'INVITE') {
        Soak::Loop::cancel($txn->{over});
        $txn->{over} = Soak::Loop::after(60, sub {
            $self->forget_txn($key, 'timeout');
        });
    }

    $txn->{answered}->($msg) if $txn->{answered};
}

# what a request within a dialog, or outside of one, was answered; what: for
# the table; usual: codes

sub hears {
    my ($self, $what, $usual, $then) = @_;

    return sub {
        my ($msg, $why) = @_;

        return if $msg && $msg->{code} < 200;
        Soak::Book::answer($what, $msg ? $msg->{code} : $why, @$usual);
        $then->($msg, $why) if $then;
    };
}

1;
