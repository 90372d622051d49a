package Soak::Core;

# Copyright (C) the IMS portal authors

# The operator's core: registrar and far end, with books of its own of contacts
# and dialogs. It can fall silent, refuse, or lose its memory.

use warnings;
use strict;

use base qw/ Soak::Side IMS::Core /;

use IMS::SIP;

my $SILENT = 3;         # s that it says nothing

sub new {
    my ($class, %o) = @_;

    my $self = $class->IMS::Core::new(%o);
    IMS::Loop::del($self);

    $self->{$_} = {} for qw/ txns served contacts /;
    $self->listen();

    return $self;
}

sub listen {
    my ($self) = @_;

    Soak::Loop::watch($self->{sock}, sub { $self->readable($self->{sock}) });
}

sub unreliable { return 1 }
sub patience { return 64 * $Soak::Side::T1 }

# faults

sub act {
    my ($self, $what, $o) = @_;

    return $self->can("do_$what")->($self, $o->{for});
}

sub do_core_silent {
    my ($self) = @_;

    Soak::Book::fault('core_silent', $SILENT);
    $self->{silent}++;
    Soak::Loop::after($SILENT, sub { $self->{silent}-- });

    return 1;
}

# nobody listens: ICMP says so

sub do_core_refuses {
    my ($self, $seconds) = @_;

    return 0 unless $self->{sock};
    Soak::Book::fault('core_refuses', $seconds);
    Soak::Loop::unwatch($self->{sock});
    $self->down();
    Soak::Loop::after($seconds, sub {
        $self->up();
        IMS::Loop::del($self);
        $self->listen();
    });

    return 1;
}

# restarted, without what it knew

sub do_core_forgets {
    my ($self) = @_;

    Soak::Book::fault('core_forgets', 5);
    $self->forget_all();
    $self->{$_} = {} for qw/ served contacts /;
    Soak::Call::forgotten();

    return 1;
}

# transport

sub got {
    my ($self, $bytes, $from) = @_;

    $self->message($bytes, $from) unless $self->{silent};
}

sub emit {
    my ($self, @args) = @_;

    $self->IMS::Core::emit(@args) if $self->{sock} && !$self->{silent};
}

# answers are kept for retransmissions

sub reply {
    my ($self, $request, @answer) = @_;

    my $msg = $self->IMS::Core::reply($request, @answer);
    my $key = $request->branch() . " $request->{method}";

    $self->{served}{$key} = [ $msg->bytes(), $request->{from} ];
    Soak::Loop::after(64 * $Soak::Side::T1,
        sub { delete $self->{served}{$key} });

    return $msg;
}

# the contacts of an identity

sub registered {
    my ($self, $impu) = @_;

    my @contacts = sort keys %{$self->{contacts}{$impu} || {}};

    return @contacts;
}

sub request {
    my ($self, $msg) = @_;
    my $method = $msg->{method};

    return Soak::Call::acknowledged($self, $msg) if $method eq 'ACK';

    if (my $served = $self->{served}{$msg->branch() . " $method"}) {
        Soak::Book::count('retransmissions at the core');
        $self->emit(@$served);
        return;
    }

    Soak::Book::count("core got $method");

    return $self->register($msg) if $method eq 'REGISTER';
    return $self->reply($msg, 200, 'OK') if IMS::Core::is_probe($msg);
    return Soak::Call::asked($self, $msg) if $msg->h('To') =~ /;tag=/
        || $method eq 'CANCEL';

    my $impu = IMS::SIP::uri_of($msg->h('P-Asserted-Identity')
        || $msg->h('From'));

    if (!$self->registered($impu)) {
        Soak::Book::count("core refused $method of the unknown");
        return $self->reply($msg, 403, 'Forbidden');
    }

    return Soak::Call::asked($self, $msg) if $method eq 'INVITE';
    return $self->reply($msg, 200, 'OK');
}

sub register {
    my ($self, $msg) = @_;

    my $impu = IMS::SIP::uri_of($msg->h('To'));
    my $contact = $msg->h('Contact');
    my $uri = IMS::SIP::uri_of($contact);
    my ($expires) = $contact =~ /;expires=(\d+)/;
    $expires = $msg->h('Expires') unless defined $expires;

    my @headers;

    if ($expires) {
        Soak::Book::count('contacts made') unless $self->{contacts}{$impu}{$uri};
        $self->{contacts}{$impu}{$uri} = $msg->h('Path');
        push @headers, Contact => "<$uri>;expires=$expires",
            'Service-Route' => $self->service_route();

    } else {
        delete $self->{contacts}{$impu}{$uri};
        delete $self->{contacts}{$impu} unless %{$self->{contacts}{$impu}};
    }

    push @headers, Path => $_ for $msg->all('Path');
    $self->reply($msg, 200, 'OK', headers => [ @headers,
        'P-Associated-URI' => "<$impu>" ]);
}

# a request to a user who is here, by one of his contacts; false when he is not

sub to {
    my ($self, $impu, $device, $method, %o) = @_;

    my @contacts = $self->registered($impu) or return;
    my $uri = $contacts[$device % @contacts];

    return $self->terminating($method, to => $impu, uri => $uri,
        route => $self->{contacts}{$impu}{$uri}, %o);
}

sub stray { Soak::Call::repeated(@_) }

# contacts in the books

sub contacts {
    my ($self) = @_;

    return map { my $impu = $_; map { "$impu at $_" } $self->registered($impu) }
        sort keys %{$self->{contacts}};
}

1;
