package IMS::Core;

# Copyright (C) the IMS portal authors

# A scripted IMS core on UDP, TCP or TLS: what the portal sends is kept message
# by message, what the test says is sent. With registrar() it answers each
# REGISTER as a real S-CSCF does and remembers Contact and Path for terminating
# requests.

use warnings;
use strict;

use base qw/ IMS::UA /;

use IMS::Loop;
use IMS::SIP;
use IMS::Stream;
use IO::Socket::IP;
use Socket qw/ AF_INET6 inet_aton inet_pton pack_sockaddr_in
    pack_sockaddr_in6 SOCK_DGRAM /;
use Test::Nginx qw/ port /;

# addr, port: where it listens, IPv4 or IPv6; portal: where the portal does;
# transport: udp, tcp or tls; both => 1: tcp, and udp on the same port; ssl:
# options of IO::Socket::SSL, with tls; reuse => 1: requests go on a connection
# of the portal, else on one of ours

sub new {
    my ($class, %o) = @_;

    my %udp = ($o{transport} || 'udp') eq 'udp' ? (udp => 1) : ();
    my $self = bless {
        addr => $o{addr} || '127.0.0.1',
        port => $o{port} || port(8981, %udp),
        portal => $o{portal} || port(8980, %udp),
        registered => {},
        transport => $o{transport} || 'udp', both => $o{both},
        ssl => $o{ssl}, reuse => $o{reuse}, conns => [], failed => 0,
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

    $self->{listen} = IMS::Stream::listener($self->{addr}, $self->{port})
        unless $self->{transport} eq 'udp';

    IMS::Loop::add($self);
    return $self unless $self->{transport} eq 'udp' || $self->{both};

    # held for us by the same number; known by the one that was asked for

    port(8981, socket => 1)->close() if $self->{both};

    $self->{sock} = IO::Socket::IP->new(Type => SOCK_DGRAM, Proto => 'udp',
        LocalHost => $self->{addr}, LocalPort => $self->{port})
        or die "can't listen on port $self->{port}: $!\n";
    $self->{sock}->blocking(0);

    return $self;
}

sub down {
    my ($self) = @_;

    IMS::Loop::del($self);
    $self->hang_up();
    delete @$self{qw/ sock listen /};

    return $self;
}

# closes all connections

sub hang_up {
    my ($self) = @_;

    $_->close() for @{$self->{conns}};
    @{$self->{conns}} = ();
    delete $self->{own};

    return $self;
}

sub fh {
    my ($self) = @_;

    return grep { defined } @$self{qw/ sock listen /},
        map { $_->{deaf} ? () : $_->{sock} } @{$self->{conns}};
}

sub readable {
    my ($self, $fh) = @_;

    return $self->joined() if $self->{listen} && $fh == $self->{listen};
    return $self->streamed($fh) if !$self->{sock} || $fh != $self->{sock};

    while ($self->{sock} && defined(my $from
        = $self->{sock}->recv(my $bytes, 65536)))
    {
        Test::Nginx::log_in($bytes);
        $self->got($bytes, $from);
    }
}

# a connection of the portal; one that fails its handshake is counted

sub joined {
    my ($self) = @_;

    my $sock = $self->{listen}->accept() or return;
    my $conn = IMS::Stream->new(sock => $sock,
        ssl => $self->{transport} eq 'tls' ? $self->{ssl} || {} : undef);

    if (!$conn) {
        $self->{failed}++;
        return;
    }

    $self->{accepted}++;
    push @{$self->{conns}}, $conn;
}

sub streamed {
    my ($self, $fh) = @_;

    my ($conn) = grep { $_->{sock} && $_->{sock} == $fh } @{$self->{conns}};
    return unless $conn;

    for my $bytes ($conn->messages()) {
        Test::Nginx::log_in($bytes);
        $self->got($bytes, $conn);
    }

    return unless $conn->{eof};

    $conn->close();
    @{$self->{conns}} = grep { $_ != $conn } @{$self->{conns}};
    delete $self->{own} if $self->{own} && $self->{own} == $conn;
}

# a connection to the portal, kept for later requests

sub dial {
    my ($self, %o) = @_;

    my $conn = IMS::Stream->new(addr => $self->{addr} =~ /:/ ? '::1'
        : '127.0.0.1', port => $self->{portal}, from => $self->{addr},
        ssl => $self->{transport} eq 'tls' ? $self->{ssl} || {} : undef, %o);

    push @{$self->{conns}}, $conn if $conn;

    return $conn;
}

sub connection {
    my ($self) = @_;

    my ($conn) = grep { $_->{accepted} && $_->{sock} } @{$self->{conns}};

    return $conn if $self->{reuse} && $conn;
    return $self->{own} ||= $self->dial();
}

# answers go where the request came from, requests to the portal

sub emit {
    my ($self, $bytes, $to) = @_;

    Test::Nginx::log_out($bytes);

    if (ref $to || $self->{transport} ne 'udp' && !defined $to) {
        ($to || $self->connection())->write($bytes);
        return;
    }

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

    return 'SIP/2.0/' . uc($self->{transport}) . ' ' . $self->host() . ';branch='
        . IMS::SIP::unique('z9hG4bKcore');
}

sub contact { return '<sip:far@' . $_[0]->host() . $_[0]->param() . '>' }

sub service_route
{
    return '<sip:orig@' . $_[0]->host() . $_[0]->param() . ';lr>';
}

# what says the transport in a URI

sub param
{
    my ($self) = @_;

    return $self->{transport} eq 'udp' ? '' : ";transport=$self->{transport}";
}

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
    my $param = $self->param();
    my $from = $o{from} || 'sip:bob@ims.operator.example';
    my %skip = map { lc $_ => 1 } @{$o{without} || []};

    my @headers = (
        'Record-Route' => "<sip:mt\@$own$param;lr=on>",
        'Record-Route' => "<sip:mo\@$own$param;lr=on>",
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
