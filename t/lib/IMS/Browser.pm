package IMS::Browser;

# Copyright (C) the IMS portal authors

# A browser with a SIP stack in its page, as far as the portal can tell: logs
# in with a token, asks the session API who it is, opens the WebSocket,
# registers, sends and answers.

use warnings;
use strict;

use base qw/ IMS::UA IMS::WebSocket /;

use IMS::Loop;
use IMS::SIP;
use IMS::WebSocket;
use JSON::PP qw/ decode_json /;
use Test::Nginx qw/ port /;

# token: for the handshake, as cookie; lease => 0: without asking the session
# API first; further options are those of IMS::WebSocket->connect()

sub open {
    my ($class, %o) = @_;

    my $session;

    if (defined $o{token} && (!defined $o{lease} || $o{lease})) {
        $session = api('POST', token => $o{token},
            port => $o{ssl} ? undef : $o{port});
        die "no lease: $session->{status} $session->{body}\n"
            unless $session->{json} && $session->{json}{identity};
    }

    my $self = $class->connect(port => port(8080),
        (defined $o{token} ? (cookie => "ims_session=$o{token}") : ()), %o);

    $self->init();
    $self->{session} = $session;
    $self->{impu} = $o{impu} || $session && $session->{json}{identity};
    $self->{domain} = $session && $session->{json}{domain}
        || 'ims.operator.example';
    $self->{host} = $o{host} || IMS::SIP::unique('b') . '.invalid';
    $self->{instance} = $o{instance} || sprintf
        '0b3c1a52-7d1e-4c11-9a6e-%012x', int rand 2 ** 40;
    $self->{reg} = { id => IMS::SIP::unique('reg'), cseq => 0,
        tag => IMS::SIP::unique('f') };

    return $self;
}

# The session API: status, head, body, json of the answer.

sub api {
    my ($method, %o) = @_;

    my $s = IO::Socket::INET->new(Proto => 'tcp',
        PeerAddr => '127.0.0.1:' . ($o{port} || port(8080)))
        or die "can't connect: $!\n";

    my $request = "$method " . ($o{path} || '/ims/session') . " HTTP/1.1\r\n"
        . "Host: localhost\r\nConnection: close\r\n";
    $request .= "Cookie: ims_session=$o{token}\r\n" if defined $o{token};
    $request .= "$_\r\n" for @{$o{headers} || []};
    $request .= "Content-Length: 0\r\n" if $method eq 'POST';

    my $reply = Test::Nginx::http("$request\r\n", socket => $s) // '';
    my ($head, $body) = split /\r\n\r\n/, $reply, 2;

    # a worker that is killed meanwhile answers nothing

    $head = '' unless defined $head;
    $body = '' unless defined $body;
    $body =~ s/^[0-9a-f]+\r\n(.*?)\r\n0\r\n\r\n$/$1/s
        if $head =~ /^Transfer-Encoding: chunked/mi;

    return {
        status => ($head =~ m!^HTTP/1\.\d (\d+)!)[0] || 0, head => "$head\r\n",
        body => $body, json => scalar eval { decode_json($body) },
    };
}

# transport: SIP messages are text messages of the WebSocket

sub got {
    my ($self, @args) = @_;

    return $self->IMS::UA::got(@args) if @args == 1;

    $self->IMS::WebSocket::got(@args);
    return unless $self->{queue};

    for my $event (splice @{$self->{events}}) {
        if ($event->[1] =~ /^[\r\n]*$/) {
            push @{$self->{crlf}}, $event->[1];
            next;
        }

        $self->IMS::UA::got($event->[1]);
    }
}

sub emit { $_[0]->send($_[1]) }

sub via {
    my ($self) = @_;

    return "SIP/2.0/WS $self->{host};branch="
        . IMS::SIP::unique('z9hG4bKweb');
}

sub contact { return "<sip:page\@$_[0]->{host};transport=ws>" }

# A REGISTER, not sent. expires; to, from: other URIs; contact: another value;
# headers: more of them.

sub register_request {
    my ($self, %o) = @_;

    my $expires = defined $o{expires} ? $o{expires} : 600;
    my $to = $o{to} || $self->{impu};
    my $from = $o{from} || $to;
    my $reg = $self->{reg};

    my @headers = (
        'Max-Forwards' => 70, From => "<$from>;tag=$reg->{tag}",
        To => "<$to>", 'Call-ID' => $o{call_id} || $reg->{id},
        CSeq => ++$reg->{cseq} . ' REGISTER',
        Contact => defined $o{contact} ? $o{contact} : $self->contact()
            . ";reg-id=1;+sip.instance=\"<urn:uuid:$self->{instance}>\""
            . ";expires=$expires",
        Expires => $expires, Supported => 'path, outbound, gruu',
        @{$o{headers} || []},
    );

    return IMS::SIP->new('REGISTER sip:' . ($o{domain} || $self->{domain})
        . ' SIP/2.0', [ Via => $self->via(), @headers ]);
}

# the same, sent; the final answer

sub register {
    my ($self, %o) = @_;

    $self->emit($self->register_request(%o)->bytes());

    return $self->final('REGISTER', $o{wait} || 5);
}

# A request outside of a dialog; the message as sent. to: a URI; from,
# headers, body; max_forwards.

sub start {
    my ($self, $method, %o) = @_;

    my $to = $o{to} || 'sip:bob@ims.operator.example';
    my $from = $o{from} || $self->{impu};

    my @headers = (
        'Max-Forwards' => defined $o{max_forwards} ? $o{max_forwards} : 70,
        From => "<$from>;tag=" . IMS::SIP::unique('w'), To => "<$to>",
        'Call-ID' => $o{call_id} || IMS::SIP::unique('web'),
        CSeq => "1 $method",
        ($method eq 'MESSAGE' ? () : (Contact => $self->contact())),
        @{$o{headers} || []},
    );

    return $self->send_request(IMS::SIP->new("$method " . ($o{uri} || $to)
        . ' SIP/2.0', \@headers, $o{body}));
}

# the same, with the final answer

sub ask {
    my ($self, $method, %o) = @_;

    $self->start($method, %o);

    return $self->final($method, $o{wait} || 5);
}

1;
