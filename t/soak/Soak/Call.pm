package Soak::Call;

# Copyright (C) the IMS portal authors

# One call, as each of its ends sees it: "web" is the browser's, "far" the
# core's. An end is idle, calling or ringing, up, ending, or over. Each end
# hangs up by itself some time after it should have been told, and then says
# whether that was right.

use warnings;
use strict;

use IMS::SDP qw/ web_sdp ims_sdp /;
use IMS::SIP;

our $GRACE = 4;         # s; ims_portal_grace is the same

# s that an end waits for the other's BYE
my $PATIENCE = 8;

my $ACK = 64 * $Soak::Side::T1;

my @SDP = ('Content-Type' => 'application/sdp');

# what may lose a BYE; nothing that befalls nginx does
my @EXCUSES = qw/ core_silent core_refuses core_forgets end /;

my %calls;

# a call up or down, by the plan; false if nobody is there to be called

sub new {
    my ($class, $web, $core, $way, $plan) = @_;

    my $self = bless { id => IMS::SIP::unique('soak'), way => $way,
        plan => $plan, web => $web, core => $core, version => 1,
        at => { web => 'idle', far => 'idle' }, since => {},
        user => $web->{user} }, $class;

    my $id = $self->{id};

    if ($way eq 'up') {
        local $Soak::Side::ANSWERED = sub { $self->answered('web', @_) };
        $self->take($web);
        $self->set('web', 'calling');
        $self->{invite}{web} = $web->start('INVITE', call_id => $id,
            headers => [ @SDP ], body => web_sdp());

    } else {
        local $Soak::Side::ANSWERED = sub { $self->answered('far', @_) };
        $self->{invite}{far} = $core->to($web->{impu}, $plan->{device},
            'INVITE', headers => [ @SDP ], body => far_sdp()) or return 0;
        $id = $self->{id} = $self->{invite}{far}->h('Call-ID');
        $self->set('far', 'calling');
    }

    $calls{$id} = $self;
    $self->patient($way eq 'up' ? 'web' : 'far');
    Soak::Book::count("calls $way");
    Soak::Book::did("call $way of $web->{user}: $id");

    return $self;
}

sub far_sdp {
    my $sdp = ims_sdp(@_);

    $sdp =~ s/192\.0\.2\.9/127.0.0.1/g;
    return $sdp;
}

# calls at any end
sub all { return values %calls }

# the browser that has it
sub take {
    my ($self, $web) = @_;

    $self->{web} = $web;
    $web->{calls}{$self->{id}} = $self;
}

sub end_of { return $_[1] eq 'web' ? $_[0]->{web} : $_[0]->{core} }
sub other { return $_[0] eq 'web' ? 'far' : 'web' }

# an end's state; nothing is kept of a call that is over at both

sub set {
    my ($self, $end, $state, $why) = @_;

    return if $self->{at}{$end} eq 'over';

    Soak::Book::did("$self->{id} $end: $state" . ($why ? ", $why" : ''));
    $self->{at}{$end} = $state;
    $self->{since}{$end} = Soak::Loop::now();
    return if $state ne 'over';

    $self->{why}{$end} = $why;
    Soak::Loop::cancel($_) for @{$self->{clock}{$end} || []};
    delete $self->{web}{calls}{$self->{id}} if $end eq 'web';

    my $there = $self->{at}{other($end)};
    $self->set(other($end), 'over', 'never') if $there eq 'idle';
    delete $calls{$self->{id}}
        if $self->{at}{$end} eq $self->{at}{other($end)};
}

sub clock {
    my ($self, $end, $seconds, $handler) = @_;

    my $timer = Soak::Loop::after($seconds, $handler);
    push @{$self->{clock}{$end}}, $timer;

    return $timer;
}

# who calls gives up when nobody answers, and in the end does not wait any more

sub patient {
    my ($self, $end) = @_;

    $self->clock($end, $self->{plan}{ring} + $PATIENCE, sub {
        return if $self->{at}{$end} ne 'calling';

        Soak::Book::count("$end ends gave up calling");
        $self->cancel($end);
        $self->clock($end, $ACK, sub {
            return if $self->{at}{$end} ne 'calling';

            Soak::Book::answer("INVITE $self->{way}", 'nothing');
            $self->set($end, 'over', 'nothing');
        });
    });
}

# the answers to the INVITE, at the end that called

sub answered {
    my ($self, $end, $msg, $why) = @_;

    my $side = $self->end_of($end);
    my $invite = $self->{invite}{$end};

    return if $self->{at}{$end} eq 'over' && !$msg;
    return $self->set($end, 'over', $why) if !$msg && $why eq 'lost';

    if (!$msg) {
        Soak::Book::answer("INVITE $self->{way}", $why);
        return $self->set($end, 'over', $why);
    }

    return $self->provisional($end) if $msg->{code} < 200;

    my $goes = $self->{cancelled} ? 'cancel' : $self->{plan}{goes};

    Soak::Book::answer("INVITE $self->{way}, $goes", $msg->{code},
        $goes eq 'busy' ? 486 : $goes eq 'cancel' ? 487 : 200);

    if ($msg->{code} >= 300) {
        $side->same_hop($invite, 'ACK', $msg->h('To'));
        return $self->set($end, 'over', $msg->{code});
    }

    $self->{dialog}{$end} = $side->dialog($invite, $msg, 1);
    $side->within($self->{dialog}{$end}, 'ACK');

    # cancelled too late, or given up: the answer still has to be ended

    if ($self->{cancelled} || $self->{at}{$end} eq 'over') {
        return $self->hang_up($end);
    }

    $self->up($end);
}

sub provisional {
    my ($self, $end) = @_;

    return if $self->{plan}{goes} ne 'cancel' || $self->{cancel};

    $self->{cancel} = $self->clock($end, $self->{plan}{ring} / 2, sub {
        $self->cancel($end);
    });
}

sub cancel {
    my ($self, $end) = @_;

    return if $self->{at}{$end} ne 'calling';

    my $side = $self->end_of($end);
    my $invite = $self->{invite}{$end};
    my $msg = IMS::SIP->new("CANCEL $invite->{uri} SIP/2.0", [
        Via => $invite->h('Via'), 'Max-Forwards' => 70,
        (map { (Route => $_) } $invite->all('Route')),
        (map { ($_ => $invite->h($_)) } qw/ From To Call-ID /),
        CSeq => $invite->cseq() . ' CANCEL' ]);

    $self->{cancelled} = 1;
    local $Soak::Side::ANSWERED = $side->hears("CANCEL $self->{way}",
        [ 200, 481 ]);
    $side->client($msg);
}

# requests of calls, at either end

sub asked {
    my ($side, $msg) = @_;

    my $end = $side->isa('Soak::Core') ? 'far' : 'web';
    my $self = $calls{$msg->h('Call-ID')};
    my $method = $msg->{method};

    if ($self && $method eq 'INVITE' && $msg->h('To') !~ /;tag=/) {
        return $self->invited($end, $side, $msg);
    }

    # of a socket that is not the call's any more, or of a call that is over

    if (!$self || $self->{at}{$end} eq 'over'
        || $end eq 'web' && $self->{web} != $side)
    {
        Soak::Book::count("$end: $method of no call");
        return $side->reply($msg, 481, 'Call Does Not Exist');
    }

    if ($method eq 'CANCEL') {
        $side->reply($msg, 200, 'OK');
        return $self->final($end, 487, 'Request Terminated')
            if $self->{at}{$end} eq 'ringing';
        return;
    }

    return $side->reply($msg, 200, 'OK') if $method ne 'INVITE'
        && $method ne 'BYE';

    if ($method eq 'INVITE') {
        $self->{version}++;
        return $side->reply($msg, 200, 'OK', headers => [ Contact =>
            $side->contact(), @SDP ], body => $self->sdp($end));
    }

    $side->reply($msg, 200, 'OK');
    $self->final($end, 487, 'Request Terminated')
        if $self->{at}{$end} eq 'ringing';
    Soak::Book::count("$end got BYE");
    $self->{reason} = $msg->h('Reason');
    $self->set($end, 'over', 'BYE');
}

sub sdp {
    my ($self, $end) = @_;

    return $end eq 'web' ? web_sdp(version => $self->{version},
        setup => 'active') : far_sdp(version => $self->{version});
}

# the INVITE, at the end that is called

sub invited {
    my ($self, $end, $side, $msg) = @_;

    my $plan = $self->{plan};

    # it rings again at a browser that lost its socket

    $self->{at}{$end} = 'idle' if $self->{at}{$end} eq 'over'
        && $self->{why}{$end} eq 'lost';

    if ($self->{at}{$end} ne 'idle') {
        Soak::Book::answer("INVITE $self->{way}", 'twice');
        return $side->reply($msg, 482, 'Loop Detected');
    }

    $self->take($side) if $end eq 'web';
    $self->{invite}{$end} = $msg;
    $self->set($end, 'ringing');
    $side->reply($msg, 180, 'Ringing', headers => [
        Contact => $side->contact() ]);

    # one that is to be cancelled waits for that for a while

    $self->clock($end, $plan->{goes} eq 'cancel' ? $plan->{ring} + 5
        : $plan->{ring}, sub
    {
        return if $self->{at}{$end} ne 'ringing';

        $plan->{goes} eq 'busy'
            ? $self->final($end, 486, 'Busy Here')
            : $self->final($end, 200, 'OK', headers => [
                Contact => $side->contact(), @SDP ],
                body => $self->sdp($end));
    });
}

# the final answer, again and again until there is an ACK

sub final {
    my ($self, $end, $code, $reason, @more) = @_;

    my $side = $self->end_of($end);
    my $answer = $side->reply($self->{invite}{$end}, $code, $reason, @more);

    $self->{final}{$end} = $code;
    Soak::Book::count('calls answered') if $code == 200;
    $self->{dialog}{$end} = $side->dialog($self->{invite}{$end}, $answer, 0)
        if $code < 300;
    $self->set($end, 'answered');
    $self->repeat($end, $answer, $Soak::Side::T1)
        if $code < 300 || $end eq 'far';

    $self->clock($end, $ACK, sub {
        return if $self->{at}{$end} ne 'answered';

        Soak::Book::answer("$code of the $end end", 'no ACK')
            if $self->{final}{$end} < 300;
        return $self->set($end, 'over', 'no ACK') if $code >= 300;
        $self->hang_up($end);
    });
}

sub repeat {
    my ($self, $end, $answer, $interval) = @_;

    $self->clock($end, $interval, sub {
        return if $self->{at}{$end} ne 'answered';

        $self->end_of($end)->emit($answer->bytes(),
            $self->{invite}{$end}{from});
        $self->repeat($end, $answer, $interval < 4 * $Soak::Side::T1
            ? 2 * $interval : 8 * $Soak::Side::T1);
    });
}

sub acknowledged {
    my ($side, $msg) = @_;

    my $end = $side->isa('Soak::Core') ? 'far' : 'web';
    my $self = $calls{$msg->h('Call-ID')};

    return if !$self || $self->{at}{$end} ne 'answered'
        || $msg->cseq() != $self->{invite}{$end}->cseq();

    return $self->set($end, 'over', $self->{final}{$end})
        if $self->{final}{$end} >= 300;
    $self->up($end);
}

# a 200 again wants its ACK again

sub repeated {
    my ($side, $msg) = @_;

    my $self = $calls{$msg->h('Call-ID')};
    my $end = $side->isa('Soak::Core') ? 'far' : 'web';

    return if $msg->{code} >= 300 || $msg->{code} < 200
        || $msg->cseq_method() ne 'INVITE';

    Soak::Book::count("$end: 200 again");
    $side->within($self->{dialog}{$end}, 'ACK', cseq => $msg->cseq())
        if $self && $self->{dialog}{$end};
}

# what it is, in a line

sub line {
    my ($self) = @_;

    return "call $self->{id} $self->{way} of $self->{web}{user}: " . join ', ',
        map {
            "$_ $self->{at}{$_}" . ($self->{why}{$_} ? " ($self->{why}{$_})"
                : sprintf ' since %.3f', $self->{since}{$_} || 0)
        } qw/ web far /;
}

# the conversation

sub up {
    my ($self, $end) = @_;

    my $plan = $self->{plan};

    $self->set($end, 'up');
    Soak::Book::count("$end ends up");
    Soak::Book::count('calls up at both ends')
        if $self->{at}{other($end)} eq 'up';

    for my $say (@{$plan->{say}}) {
        my ($at, $who, $method) = @$say;

        $self->clock($end, $at, sub { $self->say($end, $method) })
            if $end eq ($who eq 'web' ? 'web' : 'far');
    }

    my $ends = $plan->{ends} eq 'web' ? 'web' : 'far';

    $self->clock($end, $plan->{talk}, sub { $self->hang_up($end) })
        if $ends eq $end;

    # the other end should have said BYE

    $self->clock($end, $plan->{talk} + $GRACE + $PATIENCE, sub {
        $self->overdue($end);
    });
}

sub say {
    my ($self, $end, $method) = @_;

    my $side = $self->end_of($end);

    return if $self->{at}{$end} ne 'up' || $self->{saying}{$end}
        || $end eq 'web' && !$side->ready();

    my ($what, $again) = ("$method in a call, "
        . ($end eq 'web' ? 'up' : 'down'), 0);

    local $Soak::Side::ANSWERED = sub {
        my ($msg, $why) = @_;

        return if $msg && $msg->{code} < 200;
        $self->{saying}{$end} = 0;

        my $code = $msg ? $msg->{code} : $why;
        Soak::Book::answer($what, $code, 200, 491, 'lost',
            $self->{at}{other($end)} ne 'up' ? 481 : ());

        $side->within($self->{dialog}{$end}, 'ACK')
            if $method eq 'INVITE' && $msg && $code < 300;
        $side->same_hop($self->{said}{$end}, 'ACK', $msg->h('To'))
            if $method eq 'INVITE' && $msg && $code >= 300;

        $self->set($end, 'over', 481) if $code eq 481;
    };

    $self->{saying}{$end} = 1;
    $self->{version}++ if $method eq 'INVITE';
    $self->{said}{$end} = $side->within($self->{dialog}{$end}, $method,
        $method eq 'INVITE' ? (headers => [ @SDP ],
            body => $self->sdp($end)) : ());
}

# BYE; a browser that is away says it when it is back

sub hang_up {
    my ($self, $end) = @_;

    my $side = $self->end_of($end);

    return if $self->{at}{$end} eq 'ending' || !$self->{dialog}{$end};

    if ($end eq 'web' && !$side->ready()) {
        $self->{wants} = 1;
        return;
    }

    my $there = $self->{at}{other($end)};
    my $began = Soak::Loop::now();

    $self->set($end, 'ending');

    local $Soak::Side::ANSWERED = $side->hears('BYE '
        . ($end eq 'web' ? 'up' : 'down'),
        [ 200, 'lost', $there eq 'over' ? 481 : () ], sub
    {
        my ($msg, $why) = @_;

        # she will say so again

        if (!$msg && $why eq 'lost' && $self->{at}{$end} eq 'ending') {
            $self->set($end, 'up');
            $self->{wants} = 1;
            return;
        }

        $self->set($end, 'over', 'hung up');
        $self->told($end, $began) if $msg && $msg->{code} == 200;
    });

    $side->within($self->{dialog}{$end}, 'BYE');
}

# The BYE was answered with 200: the other end has had it, or is away and will
# have, or will hear that the call is gone.

sub told {
    my ($self, $end, $began) = @_;

    my $other = other($end);

    Soak::Loop::after(5, sub {
        my $web = $self->{web};
        my $at = $self->{at}{$other};
        my $now = Soak::Loop::now();

        return if $at eq 'over' || $at eq 'ending'
            || $self->{since}{$other} > $began
            || Soak::Book::faults($began - 2, $now, @EXCUSES)
            || $other eq 'web' && (!$web->ready()
                || $web->{since_ready} > $began);

        Soak::Book::wrong("call $self->{id}: the $other end is $at "
            . '5 s after the BYE of the other');
    });
}

# nobody has ended it

sub overdue {
    my ($self, $end) = @_;

    return if $self->{at}{$end} ne 'up';

    # a browser that was away does not hear of a BYE that came meanwhile

    my $away = $end eq 'web' && $self->{absent}
        && $self->{absent} > ($self->{since}{far} || 0) - $GRACE - $PATIENCE;

    Soak::Book::count("$end ends hung up because the other did not");
    Soak::Book::wrong("the $end end was not ended: " . $self->line())
        unless $away || $self->{unheard} || Soak::Book::faults($self->{since}{$end} - 2,
            Soak::Loop::now(), @EXCUSES);

    $self->hang_up($end);
}

# the socket

sub cut_off {
    my ($self) = @_;

    $self->{absent} = Soak::Loop::now();
    $self->set('web', 'over', 'lost') if $self->{at}{web} =~ /calling|ringing/;
}

sub returned {
    my ($self) = @_;

    $self->hang_up('web') if delete $self->{wants};
}

# the page: the portal has to tell the far end, and at once

sub left {
    my ($self) = @_;

    my $at = Soak::Loop::now();

    $self->set('web', 'over', 'left');

    # A worker that was killed has not read the close frame: for the portal,
    # the next page is the same browser, back from a lost socket.

    if (Soak::Book::faults($at - 3, $at + 1, qw/ kill_worker restart crash /)) {
        $self->{unheard} = 1;
        return;
    }

    Soak::Loop::after($PATIENCE, sub {
        my $state = $self->{at}{far};

        return if $state eq 'over' || $state eq 'ending'
            || Soak::Book::faults($at - 5, Soak::Loop::now(),
                @EXCUSES);

        # What rang at the page waits a moment for its next one, in the memory
        # of a worker: the caller of one that was killed gives up by himself.

        if ($state eq 'calling' && Soak::Book::faults($at,
            Soak::Loop::now(), qw/ kill_worker restart crash /))
        {
            $self->{unheard} = 1;
            return;
        }

        Soak::Book::wrong("call $self->{id} ($self->{way}): the far end is "
            . "$state $PATIENCE s after the page was closed");
    });
}

# the core has forgotten them all

sub forgotten {
    for my $self (all()) {
        my $at = $self->{at}{far};

        $self->set('far', 'over', 'forgotten');

        # who talks to nobody hangs up

        next if $self->{at}{web} ne 'up';
        $self->clock('web', $self->{plan}{talk}, sub {
            $self->hang_up('web');
        });
    }
}

1;
