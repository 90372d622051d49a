package Far;

# Copyright (C) the IMS portal authors

# The telephone of another network, behind the core: what comes for a number is
# kept message by message, what the test says is sent.

use warnings;
use strict;

use base qw/ IMS::UA /;

use IMS::Loop;
use IMS::SDP ();
use IMS::SIP;
use IO::Socket::INET;
use Socket qw/ inet_aton pack_sockaddr_in /;
use Test::Nginx ();

# port: its own, on 127.0.0.1; core: "address:port" of the I-CSCF

sub new {
    my ($class, %o) = @_;
    my $self = bless { port => $o{port}, core => $o{core}, rseq => 100 },
        $class;

    $self->{sock} = IO::Socket::INET->new(Proto => 'udp',
        LocalAddr => "127.0.0.1:$o{port}")
        or die "can't listen on port $o{port}: $!\n";
    $self->{sock}->blocking(0);
    $self->init();
    IMS::Loop::add($self);

    return $self;
}

sub fh { return $_[0]->{sock} }

sub close {
    my ($self) = @_;

    IMS::Loop::del($self);
    delete $self->{sock};
}

sub readable {
    my ($self) = @_;

    while (defined(my $from = $self->{sock}->recv(my $bytes, 65536))) {
        Test::Nginx::log_in($bytes);
        $self->got($bytes, $from);
    }
}

# answers go where the request came from, requests by their route

sub emit {
    my ($self, $bytes, $to) = @_;

    Test::Nginx::log_out($bytes);

    if (!defined $to) {
        my ($next) = $bytes =~ /^Route: <sip:(?:[^@>]*@)?([\d.]+:\d+)/mi;
        my ($host, $port) = split /:/, $next || $self->{core};
        $to = pack_sockaddr_in($port, inet_aton($host));
    }

    $self->{sock}->send($bytes, 0, $to);
}

sub host { return "127.0.0.1:$_[0]->{port}" }
sub contact { return '<sip:far@' . $_[0]->host() . '>' }

sub via {
    my ($self) = @_;

    return 'SIP/2.0/UDP ' . $self->host() . ';branch='
        . IMS::SIP::unique('z9hG4bKfar');
}

# a session description, its media on this host; as that of IMS::SDP

sub sdp {
    my ($self, %o) = @_;

    return IMS::SDP::ims_sdp(%o) =~ s/192\.0\.2\.9/127.0.0.1/gr;
}

# A request outside of a dialog; the message as sent. to: a URI; headers, body;
# sdp => 1: with a session description.

sub start {
    my ($self, $method, %o) = @_;

    return $self->send_request(IMS::SIP->new("$method $o{to} SIP/2.0", [
        'Max-Forwards' => 70,
        From => '<sip:alice@ims.operator.example>;tag='
            . IMS::SIP::unique('f'),
        To => "<$o{to}>", 'Call-ID' => IMS::SIP::unique('far'),
        CSeq => "1 $method",
        ($method eq 'MESSAGE' ? () : (Contact => $self->contact())),
        ($o{sdp} ? ('Content-Type' => 'application/sdp') : ()),
        @{$o{headers} || []},
    ], $o{sdp} ? $self->sdp(%{ref $o{sdp} ? $o{sdp} : {}}) : $o{body}));
}

# An answer to an INVITE or UPDATE, with Contact. tag; sdp => 1 or options of
# sdp(); reliable => 1: with RSeq, counting on; headers.

sub respond {
    my ($self, $request, $code, $reason, %o) = @_;
    my @headers = (Contact => $self->contact(), @{$o{headers} || []});

    push @headers, Require => '100rel', RSeq => ++$self->{rseq}
        if $o{reliable};
    push @headers, 'Content-Type' => 'application/sdp' if $o{sdp};

    return $self->reply($request, $code, $reason, headers => \@headers,
        (defined $o{tag} ? (tag => $o{tag}) : ()),
        ($o{sdp} ? (body => $self->sdp(%{ref $o{sdp} ? $o{sdp} : {}}))
            : ()));
}

1;
