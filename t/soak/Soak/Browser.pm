package Soak::Browser;

# Copyright (C) the IMS portal authors

# One browser, over all its pages and sockets: logs in, connects, registers,
# comes back when it is cut off, and has calls meanwhile.

use warnings;
use strict;

use base qw/ Soak::Side IMS::Browser /;

use IMS::SIP;
use IO::Socket::INET;
use JSON::PP qw/ decode_json /;

# s after which a request has to be answered, whatever is wrong elsewhere
my $PATIENCE = 20;

# number, user, token, port, delays: of reconnecting, in turn

sub new {
    my ($class, %o) = @_;

    my $self = bless { %o, state => 'off', txns => {}, calls => {},
        connects => 0 }, $class;

    $self->page();

    return $self;
}

sub unreliable { return 0 }
sub patience { return $PATIENCE }
sub name { return "browser $_[0]->{number} ($_[0]->{user})" }
sub ready { return $_[0]->{state} eq 'ready' }

# a page is loaded; instance: another one, too

sub page {
    my ($self, %o) = @_;

    $self->{host} = IMS::SIP::unique('b') . '.invalid';
    $self->{instance} = sprintf '0b3c1a52-7d1e-4c11-9a6e-%06x%06x',
        $self->{number}, ++$self->{pages}
        if $o{instance} || !$self->{instance};
    $self->{reg} = { id => IMS::SIP::unique('reg'), cseq => 0,
        tag => IMS::SIP::unique('f') };
    $self->{impu} = undef;
}

# the state, and what ends when it is left

sub state {
    my ($self, $state) = @_;

    $self->{state} = $state;
    Soak::Loop::cancel($self->{wait});
}

sub delay {
    my ($self) = @_;

    return $self->{delays}[$self->{connects} % @{$self->{delays}}];
}

sub later {
    my ($self, $seconds) = @_;

    $self->state('off');
    $self->{wait} = Soak::Loop::after($seconds, sub { $self->come() });
}

# off -> login -> connect -> register -> ready

sub come {
    my ($self) = @_;

    return if $self->{state} ne 'off';
    $self->state($self->{impu} ? 'connect' : 'login');
    $self->{connects}++;

    $self->{sock} = IO::Socket::INET->new(Proto => 'tcp', Timeout => 1,
        PeerAddr => "127.0.0.1:$self->{port}");

    if (!$self->{sock}) {
        Soak::Book::answer('connect', 'refused');
        return $self->later($self->delay() + 0.3);
    }

    $self->{sock}->blocking(0);
    @$self{qw/ in events pongs auto_pong /} = ('', [], [], 1);
    delete @$self{qw/ eof close_code close_reason closing part head /};

    $self->write(join "\r\n", $self->{impu}
        ? ('GET /ims/sip HTTP/1.1', 'Host: localhost', 'Upgrade: websocket',
            'Connection: Upgrade', 'Sec-WebSocket-Version: 13',
            'Sec-WebSocket-Key: c29hayBzb2FrIHNvYWsgcw==',
            'Sec-WebSocket-Protocol: sip')
        : ('POST /ims/session HTTP/1.1', 'Host: localhost',
            'Content-Length: 0', 'Connection: close'),
        "Cookie: ims_session=$self->{token}", '', '');

    Soak::Loop::watch($self->{sock}, sub { $self->readable() });
    $self->{wait} = Soak::Loop::after(10, sub {
        Soak::Book::answer("$self->{state}ing", 'timeout');
        $self->lost();
    });
}

# bytes of whatever it is

sub readable {
    my ($self) = @_;

    return $self->IMS::Browser::readable() if $self->{head};

    my $n = sysread $self->{sock}, $self->{in}, 65536, length $self->{in};
    return if !defined $n && $!{EAGAIN};

    return $self->leased(!$n) if $self->{state} eq 'login';

    if ($self->{in} =~ s/^(HTTP\S+ (\d+).*?\r\n\r\n)//s) {
        Soak::Book::answer('WebSocket', $2, 101);
        return $self->refused($2) if $2 != 101;

        $self->{head} = $1;
        $self->registering();
        $self->parse() if $self->{sock};

    } elsif (!$n) {
        Soak::Book::answer('WebSocket', 'closed');
        $self->lost();
    }
}

# the session API's answer

sub leased {
    my ($self, $eof) = @_;

    return unless $eof;

    my ($status) = $self->{in} =~ m!^HTTP\S+ (\d+)!;
    my $answer = $self->{in} =~ /(\{.*\})/s && eval { decode_json($1) };

    Soak::Book::answer('POST', $status || 'closed', 200, 201);
    $self->unplug();

    if (!$answer || !$answer->{identity}) {
        return $self->later($self->delay() + 0.5);
    }

    $self->{impu} = $answer->{identity};
    $self->{domain} = $answer->{domain};
    Soak::Book::count('log-ins');
    Soak::Check::leased($self);

    $self->state('off');
    $self->come();
}

sub refused {
    my ($self, $status) = @_;

    $self->unplug();
    $self->later($self->delay() + 0.5);
}

# expires: 0 to de-register

sub registering {
    my ($self, %o) = @_;

    $self->state('register') if $self->{state} ne 'ready';

    local $Soak::Side::ANSWERED = $self->hears('REGISTER', [ 200 ], sub {
        my ($msg, $why) = @_;

        return if !$msg && $why eq 'lost';
        return $self->registered() if $msg && $msg->{code} == 200;

        # not hers any more: ask for another

        $self->{impu} = undef if $msg && $msg->{code} == 403;
        return if $self->ready() && $self->{impu};

        $self->{closing} = 1;
        $self->frame(IMS::WebSocket::CLOSE, pack 'n', 1000);
        $self->lost($self->delay() + 1);
    });

    $self->client($self->register_request(%o));
}

sub registered {
    my ($self) = @_;

    return if $self->ready();

    $self->state('ready');
    $self->{since_ready} = Soak::Loop::now();
    Soak::Book::count('registered');
    Soak::Check::leased($self);
    $_->returned() for values %{$self->{calls}};
}

# transport

sub got {
    my ($self, @frame) = @_;

    $self->IMS::WebSocket::got(@frame);

    while (my $event = shift @{$self->{events}}) {
        next if $event->[1] !~ /[^\r\n]/;
        Soak::Book::count('answers of the portal')
            if $event->[1] =~ m!^SIP/2.0 [2-6]!;
        $self->message($event->[1]);
    }

    if (defined $self->{close_code} && $self->{sock} && !$self->{closing}) {
        Soak::Book::answer('closed with', $self->{close_code}, 1012);
        $self->lost();
    }
}

sub emit {
    my ($self, $bytes) = @_;

    return unless $self->{sock};
    Soak::Book::count('messages of browsers');
    $self->send($bytes);
}

# the parser of IMS::WebSocket saw the end

sub drop {
    my ($self) = @_;

    $self->lost() if $self->{sock} && $self->{eof};
}

sub DESTROY { }

sub unplug {
    my ($self) = @_;

    return unless $self->{sock};

    Soak::Loop::unwatch($self->{sock});
    close delete $self->{sock};
}

# the socket is gone, or is let go; comes back after some seconds

sub lost {
    my ($self, $away) = @_;

    Soak::Book::answer('closed with', 'nothing', 'nothing')
        if $self->{eof} && !defined $self->{close_code} && !$self->{closing};

    $self->unplug();
    $self->later(defined $away ? $away : $self->delay());
    $self->forget_all('lost');
    $_->cut_off() for values %{$self->{calls}};
}

# what she does, by the plan

sub act {
    my ($self, $what, $o, $core) = @_;

    return $self->come() if $what eq 'arrive';

    if ($what =~ /^(drop|vanish)$/) {
        $self->lost($o->{away});
        return 1;
    }

    if ($what =~ /^(page|leave)$/) {
        $self->goodbye();
        $self->page(instance => $what eq 'leave');
        $self->lost($o->{away});
        return 1;
    }

    return 0 unless $self->ready() && keys %{$self->{calls}} < 2;

    if ($what eq 'refresh') {
        $self->registering();

    } elsif ($what eq 'message_up') {
        local $Soak::Side::ANSWERED = $self->hears('MESSAGE up', [ 200 ]);
        $self->start('MESSAGE', body => 'soak');

    } elsif ($what eq 'message_down') {
        local $Soak::Side::ANSWERED = $core->hears('MESSAGE down', [ 200 ]);
        return $core->to($self->{impu}, $o->{device}, 'MESSAGE',
            body => 'soak') ? 1 : 0;

    } else {
        return Soak::Call->new($self, $core, $what, $o);
    }

    return 1;
}

# a page that is closed says so; its calls are over

sub goodbye {
    my ($self) = @_;

    if ($self->{sock} && $self->{head}) {
        $self->{closing} = 1;
        $self->frame(IMS::WebSocket::CLOSE, pack 'n', 1001);
    }

    $_->left() for values %{$self->{calls}};
}

# for good

sub gone {
    my ($self, $close) = @_;

    $self->goodbye() if $close;
    $self->lost();
    $self->state('gone');
    $_->set('web', 'over', 'gone') for values %{$self->{calls}};
}

sub request {
    my ($self, $msg) = @_;

    Soak::Book::count("browsers got $msg->{method}");

    return Soak::Call::acknowledged($self, $msg) if $msg->{method} eq 'ACK';
    return Soak::Call::asked($self, $msg) if $msg->{method} ne 'MESSAGE';

    $self->reply($msg, 200, 'OK');
}

sub stray { Soak::Call::repeated(@_) }

1;
