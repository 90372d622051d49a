package IMS::Crowd;

# Copyright (C) the IMS portal authors

# Many browsers with a scripted core, all in this process: those that lose
# their socket come back by themselves, as the page's library does, and all of
# them answer what the core sends.

use warnings;
use strict;

use IMS::Browser;
use IMS::Call qw/ call_up call_down /;
use IMS::Loop;
use Test::Nginx ();

# jwt: IMS::JWT; core: IMS::Core

sub new {
    my ($class, %o) = @_;

    return bless { %o, members => {}, codes => {}, refused => 0 }, $class;
}

# so many more of them, registered; their names

sub join_in {
    my ($self, $prefix, $count) = @_;
    my @names = map { "$prefix$_" } 1 .. $count;

    for my $name (@names) {
        my $m = $self->{members}{$name} = { name => $name,
            token => $self->{jwt}->token($name) };

        $m->{web} = IMS::Browser->open(token => $m->{token});
        $m->{impu} = $m->{web}{impu};
        $self->arrived($m);
        $self->settle(5) if ++$self->{joined} % 20 == 0;
    }

    $self->settle(20);

    return @names;
}

sub arrived {
    my ($self, $m) = @_;
    my $web = $m->{web};

    $m->{registered} = 0;
    $web->{on}{$_} = sub {
        my ($b, $msg) = @_;

        $m->{got}{$msg->{method}}++;
        $b->reply($msg, 200, 'OK');
    } for qw/ BYE INFO MESSAGE /;

    $web->emit($web->register_request()->bytes());
}

# One look at everybody: who has no socket gets one. The number of those that
# are not registered yet, or again.

sub look {
    my ($self) = @_;
    my $away = 0;

    for my $m (values %{$self->{members}}) {
        my $web = $m->{web};

        if (!$web->{sock}) {
            $self->{codes}{$web->{close_code} || 1006}++;
            $away++;
            $self->come_back($m);
            next;
        }

        next if $m->{registered};

        my $r = $web->expect('200 REGISTER', 0);
        $m->{registered} = 1 if $r;
        $away++ unless $r;
    }

    return $away;
}

sub come_back {
    my ($self, $m) = @_;
    my $was = $m->{web};

    my $web = eval { IMS::Browser->open(token => $m->{token}, lease => 0,
        impu => $m->{impu}, instance => $was->{instance},
        host => $was->{host}) };

    if (!$web || $web->{status} != 101) {
        $self->{refused}++;
        return;
    }

    $m->{web} = $web;
    $m->{came}++;
    $self->arrived($m);
}

# Until all are registered; with a code, until so many more have also come back.

sub settle {
    my ($self, $seconds, $more) = @_;
    my $until = $self->came() + ($more || 0);

    return IMS::Loop::wait_for(sub {
        return !$self->look() && $self->came() >= $until;
    }, $seconds);
}

sub came {
    my ($self) = @_;
    my $n = 0;

    $n += $_->{came} || 0 for values %{$self->{members}};

    return $n;
}

# Who is somebody else than at first, or shares an identity.

sub mixed_up {
    my ($self) = @_;
    my %of;

    for my $m (values %{$self->{members}}) {
        my $r = IMS::Browser::api('GET', token => $m->{token});
        push @{$of{$r->{json}{identity} || 'none'}}, $m;
    }

    return grep {
        my $who = $_;
        @{$of{$who}} > 1 || $of{$who}[0]{impu} ne $who;
    } keys %of;
}

# Calls of these; up: from the browser, else from the core.

sub call {
    my ($self, $up, @names) = @_;
    my $core = $self->{core};

    for my $name (@names) {
        my $m = $self->{members}{$name};

        $m->{call} = $up ? call_up($m->{web}, $core)
            : call_down($m->{web}, $core);
    }

    return scalar @names;
}

# A request in each of these calls; how many were answered with 200.

sub within {
    my ($self, $method, $from_core, @names) = @_;
    my $core = $self->{core};
    my $good = 0;

    for my $name (@names) {
        my $m = $self->{members}{$name};
        my $r;

        if ($from_core) {
            $core->within($m->{call}{core}, $method);
            $r = $core->final($method, 3);

        } else {
            $m->{web}->within($m->{call}{web}, $method);

            my $seen = $core->expect($method, 3);

            $core->reply($seen, 200, 'OK');
            $r = $m->{web}->final($method, 3);
        }

        $good++ if $r && $r->{code} == 200;
        delete $m->{call} if $method eq 'BYE';
    }

    return $good;
}

# These are gone without a word, for good.

sub lose {
    my ($self, @names) = @_;

    $_->{web}->drop() for delete @{$self->{members}}{@names};
}

# A message of the core to each; how many answered it.

sub reached {
    my ($self) = @_;
    my $core = $self->{core};
    my $good = 0;

    for my $m (values %{$self->{members}}) {
        my $before = $m->{got}{MESSAGE} || 0;

        $core->terminating('MESSAGE', to => $m->{impu}, body => 'x');

        my $r = $core->final('MESSAGE', 3);

        $good++ if $r && $r->{code} == 200
            && $m->{got}{MESSAGE} == $before + 1;
    }

    return $good;
}

# All close their pages, and the core has heard it: fifty of them a second.

sub leave {
    my ($self) = @_;
    my $core = $self->{core};
    my @webs = map { $_->{web} } values %{$self->{members}};

    %{$self->{members}} = ();
    $_->{closing} = 1, $_->frame(IMS::WebSocket::CLOSE, pack 'n', 1000)
        for @webs;

    return IMS::Loop::wait_for(sub {
        return !grep({ $_->{sock} } @webs) && !%{$core->{registered}};
    }, 8 + @webs / 40);
}

1;
