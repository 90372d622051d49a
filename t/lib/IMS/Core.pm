package IMS::Core;

# Copyright (C) the IMS portal authors

# A scripted IMS core on UDP: what the portal sends is kept message by message,
# what the test says is sent. With registrar() it answers each REGISTER as a
# real S-CSCF does and remembers Contact and Path for terminating requests.

use warnings;
use strict;

use base qw/ IMS::UA /;

use IMS::Loop;
use IMS::SIP;
use IO::Socket::IP;
use Socket qw/ AF_INET6 inet_aton inet_pton pack_sockaddr_in
    pack_sockaddr_in6 SOCK_DGRAM /;
use Test::Nginx qw/ port /;

# addr, port: where it listens, IPv4 or IPv6; portal: where the portal does

sub new {
    my ($class, %o) = @_;

    my $self = bless {
        addr => $o{addr} || '127.0.0.1',
        port => $o{port} || port(8981, udp => 1),
        portal => $o{portal} || port(8980, udp => 1),
        registered => {},
    }, $class;

    $self->init();
    $self->up();

    # OPTIONS from nobody is the portal's probe

    $self->{on}{OPTIONS} = sub {
        my ($core, $msg) = @_;

        return $core->reply($msg, 200, 'OK')
            if !$core->{take_probes} && is_probe($msg);

        push @{$core->{queue}}, $msg;
    };

    return $self;
}

sub is_probe {
    my ($msg) = @_;

    return $msg->{method} eq 'OPTIONS' && !$msg->tag('To')
        && IMS::SIP::uri_of($msg->h('From')) !~ /@/;
}

sub up {
    my ($self) = @_;

    $self->{sock} = IO::Socket::IP->new(Type => SOCK_DGRAM, Proto => 'udp',
        LocalHost => $self->{addr}, LocalPort => $self->{port})
        or die "can't listen on port $self->{port}: $!\n";
    $self->{sock}->blocking(0);
    IMS::Loop::add($self);

    return $self;
}

sub down {
    my ($self) = @_;

    IMS::Loop::del($self);
    delete $self->{sock};

    return $self;
}

sub fh { return $_[0]->{sock} ? ($_[0]->{sock}) : () }

sub readable {
    my ($self) = @_;

    while ($self->{sock} && defined(my $from
        = $self->{sock}->recv(my $bytes, 65536)))
    {
        Test::Nginx::log_in($bytes);
        $self->got($bytes, $from);
    }
}

# answers go where the request came from, requests to the portal

sub emit {
    my ($self, $bytes, $to) = @_;

    Test::Nginx::log_out($bytes);
    $to = $self->{addr} =~ /:/
        ? pack_sockaddr_in6($self->{portal}, inet_pton(AF_INET6, '::1'))
        : pack_sockaddr_in($self->{portal}, inet_aton('127.0.0.1'))
        unless defined $to;
    $self->{sock}->send($bytes, 0, $to);
}

# as it stands in a URI

sub host {
    my ($self) = @_;

    return ($self->{addr} =~ /:/ ? "[$self->{addr}]" : $self->{addr})
        . ":$self->{port}";
}

sub via {
    my ($self) = @_;

    return 'SIP/2.0/UDP ' . $self->host() . ';branch='
        . IMS::SIP::unique('z9hG4bKcore');
}

sub contact { return '<sip:far@' . $_[0]->host() . '>' }

sub service_route { return '<sip:orig@' . $_[0]->host() . ';lr>' }

# answers every REGISTER from now on; expires: what it grants at most

sub registrar {
    my ($self, %o) = @_;

    $self->{on}{REGISTER} = sub { $_[0]->accept($_[1], %o) };

    return $self;
}

sub accept {
    my ($self, $msg, %o) = @_;

    return $msg unless $msg;

    my $impu = IMS::SIP::uri_of($msg->h('To'));
    my $contact = $msg->h('Contact');
    my ($expires) = $contact =~ /;expires=(\d+)/;
    $expires = $msg->h('Expires') unless defined $expires;
    $expires = $o{expires} if $o{expires} && $expires > $o{expires};

    my @headers;

    if ($expires) {
        $self->{registered}{$impu} = {
            impu => $impu, path => $msg->h('Path'),
            contact => IMS::SIP::uri_of($contact), expires => $expires,
        };

        push @headers, Contact => '<' . IMS::SIP::uri_of($contact)
            . ">;expires=$expires",
            'Service-Route' => $self->service_route();

    } else {
        delete $self->{registered}{$impu};
    }

    push @headers, Path => $_ for $msg->all('Path');
    push @headers, 'P-Associated-URI' => "<$impu>",
        'P-Charging-Function-Addresses' => 'ccf=192.0.2.1',
        'P-Charging-Vector' => 'icid-value=secret-of-the-core',
        @{$o{headers} || []};

    return $self->reply($msg, 200, 'OK', headers => \@headers);
}

# A request towards a registered user as the S-CSCF sends it. to: the IMPU;
# headers: more of them; without: names left out; uri, route: instead of the
# registered ones.

sub terminating {
    my ($self, $method, %o) = @_;

    my $r = $self->{registered}{$o{to}} || {};
    my $uri = $o{uri} || $r->{contact};
    my $route = defined $o{route} ? $o{route} : $r->{path};
    my $own = $self->host();
    my $from = $o{from} || 'sip:bob@ims.operator.example';
    my %skip = map { lc $_ => 1 } @{$o{without} || []};

    my @headers = (
        'Record-Route' => "<sip:mt\@$own;lr=on>",
        'Record-Route' => "<sip:mo\@$own;lr=on>",
        Route => $route,
        Via => "SIP/2.0/UDP 192.0.2.7:5060;branch="
            . IMS::SIP::unique('z9hG4bKfar'),
        'Max-Forwards' => defined $o{max_forwards} ? $o{max_forwards} : 66,
        From => "<$from>;tag=" . IMS::SIP::unique('c'),
        To => "<$o{to}>", 'Call-ID' => IMS::SIP::unique('core'),
        CSeq => "1 $method", Contact => $self->contact(),
        'P-Called-Party-ID' => "<$o{to}>",
        'P-Asserted-Identity' => "<$from>",
        'P-Charging-Vector' => 'icid-value=secret-of-the-core',
        'P-Access-Network-Info' => 'IEEE-802.11;secret=cell',
        @{$o{headers} || []},
    );

    my @kept;

    while (my ($name, $value) = splice @headers, 0, 2) {
        push @kept, $name, $value
            unless $skip{lc $name} || !length $value
                || $name eq 'Record-Route' && $method !~ /^INVITE|SUBSCRIBE/
                || $name eq 'Contact' && $method eq 'MESSAGE';
    }

    return $self->send_request(IMS::SIP->new("$method $uri SIP/2.0", \@kept,
        $o{body}));
}

# the same datagram once more

sub again { $_[0]->emit($_[1]->bytes()) }

1;
