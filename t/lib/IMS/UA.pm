package IMS::UA;

# Copyright (C) the IMS portal authors

# What the two ends of a test have in common: a queue of SIP messages that
# came, waiting for one of them, answering. IMS::Core and IMS::Browser bring
# the transport: emit() sends bytes, via() makes a Via value.

use warnings;
use strict;

use IMS::Loop;
use IMS::SIP;

sub init {
    my ($self) = @_;

    @$self{qw/ queue all bad on again /} = ([], [], [], {}, 0);
    $self->{count} = {};

    return $self;
}

# bytes came in; the same bytes again are a retransmission and only counted

sub got {
    my ($self, $bytes, $from) = @_;

    my $msg = IMS::SIP->parse($bytes);

    if (!defined $msg) {
        push @{$self->{bad}}, $bytes;
        return;
    }

    if ($self->{count}{$bytes}++) {
        $self->{again}++;
        return;
    }

    $msg->{from} = $from;
    push @{$self->{all}}, $msg;

    my $handler = defined $msg->{method} && $self->{on}{$msg->{method}};

    if ($handler) {
        $handler->($self, $msg);
        return;
    }

    push @{$self->{queue}}, $msg;
}

# Is it this kind of message? 'INVITE': a request; '200 INVITE', '4xx', '2xx
# BYE': a response.

sub is_a {
    my ($msg, $what) = @_;

    return 1 unless defined $what;

    if ($what =~ /^(\d[\dx]{2})(?:\s+(\w+))?$/) {
        my ($code, $method) = ($1, $2);
        return 0 unless defined $msg->{code};
        return 0 if defined $method && $msg->cseq_method() ne $method;
        $code =~ s/x/./g;
        return $msg->{code} =~ /^$code$/;
    }

    return defined $msg->{method} && $msg->{method} eq $what;
}

# waits for the first message of a kind and takes it from the queue

sub expect {
    my ($self, $what, $seconds) = @_;

    return IMS::Loop::wait_for(sub {
        my $queue = $self->{queue};

        for my $i (0 .. $#$queue) {
            return splice @$queue, $i, 1 if is_a($queue->[$i], $what);
        }

        return undef;
    }, $seconds) || IMS::SIP::None->new();
}

# the final answer; provisional ones are dropped

sub final {
    my ($self, $method, $seconds) = @_;

    while (1) {
        my $msg = IMS::Loop::wait_for(sub {
            my $queue = $self->{queue};

            for my $i (0 .. $#$queue) {
                next unless defined $queue->[$i]{code};
                next if $queue->[$i]->cseq_method() ne $method;
                return splice @$queue, $i, 1;
            }

            return undef;
        }, $seconds) or return IMS::SIP::None->new();

        return $msg if $msg->{code} >= 200;
    }
}

# nothing of this kind comes within some time

sub none {
    my ($self, $what, $seconds) = @_;

    return !$self->expect($what, defined $seconds ? $seconds : 0.3);
}

# what is in the queue is of no interest any more

sub forget { @{$_[0]->{queue}} = () }

# every request of a method seen so far

sub seen {
    my ($self, $method) = @_;

    return grep { defined $_->{method} && $_->{method} eq $method }
        @{$self->{all}};
}

sub reply {
    my ($self, $request, $code, $reason, %o) = @_;

    return $request unless $request;

    my $msg = $request->response($code, $reason, %o);
    $self->emit($msg->bytes(), $request->{from});

    return $msg;
}

# an own request: top Via added, rest as given

sub send_request {
    my ($self, $msg) = @_;

    unshift @{$msg->{headers}}, [ Via => $self->via() ];
    $self->emit($msg->bytes());

    return $msg;
}

# A dialog as this end sees it, from the INVITE and the answer to it.

sub dialog {
    my ($self, $invite, $answer, $we_called) = @_;

    my @routes = map { "<$_>" } map { IMS::SIP::uri_of($_) }
        ($we_called ? $answer : $invite)->list('Record-Route');
    @routes = reverse @routes if $we_called;

    my $other = $we_called ? $answer : $invite;

    return {
        local => $we_called ? $invite->h('From') : $answer->h('To'),
        remote => $we_called ? $answer->h('To') : $invite->h('From'),
        id => $invite->h('Call-ID'), routes => \@routes,
        target => IMS::SIP::uri_of($other->h('Contact')),
        cseq => $we_called ? $invite->cseq() : 4000,
        invite => $invite->cseq(),
    };
}

# a request within it

sub within {
    my ($self, $dialog, $method, %o) = @_;

    my $cseq = $method eq 'ACK' ? $o{cseq} || $dialog->{invite}
        : ++$dialog->{cseq};
    $dialog->{invite} = $cseq if $method eq 'INVITE';

    my @headers = ('Max-Forwards' => 70);
    push @headers, Route => $_ for @{$dialog->{routes}};
    push @headers, From => $dialog->{local}, To => $dialog->{remote},
        'Call-ID' => $dialog->{id}, CSeq => "$cseq $method";
    push @headers, Contact => $self->contact()
        if $method =~ /^(INVITE|UPDATE)$/;
    push @headers, @{$o{headers} || []};

    return $self->send_request(IMS::SIP->new(
        "$method $dialog->{target} SIP/2.0", \@headers, $o{body}));
}

# the ACK to a final answer other than 2xx, or a CANCEL: hop by hop, so with
# the branch of the INVITE

sub same_hop {
    my ($self, $invite, $method, $to) = @_;

    my @headers = (Via => $invite->h('Via'), 'Max-Forwards' => 70);
    push @headers, Route => $_ for $invite->all('Route');
    push @headers, From => $invite->h('From'), To => $to || $invite->h('To'),
        'Call-ID' => $invite->h('Call-ID'), CSeq => $invite->cseq()
        . " $method";

    my $msg = IMS::SIP->new("$method $invite->{uri} SIP/2.0", \@headers);
    $self->emit($msg->bytes());

    return $msg;
}

1;
