package IMS::WebSocket;

# Copyright (C) the IMS portal authors

# A client of RFC 6455 with every bit of a frame in the hands of the test.

use warnings;
use strict;

use Digest::SHA qw/ sha1_base64 /;
use IMS::Loop;
use IO::Socket::IP;
use MIME::Base64 qw/ encode_base64 /;
use Test::Nginx ();

use constant {
    CONT => 0, TEXT => 1, BINARY => 2, CLOSE => 8, PING => 9, PONG => 10,
};

# Opens a connection and does the handshake. addr, port, path, protocol, origin,
# cookie, authorization, key, version: of the handshake; headers: more header
# lines; drop: names of header fields to leave out; request: the whole request
# line; ssl: options of IO::Socket::SSL; from: our own address. In the result
# status, header() and body tell the answer; with 101 it is open for frames.

sub connect {
    my ($class, %o) = @_;
    my $sock;

    my @at = (PeerHost => $o{addr} || '127.0.0.1', PeerPort => $o{port},
        Timeout => 5, defined $o{from} ? (LocalHost => $o{from}) : ());

    if ($o{ssl}) {
        require IO::Socket::SSL;
        $sock = IO::Socket::SSL->new(@at, %{$o{ssl}});

    } else {
        $sock = IO::Socket::IP->new(@at, Proto => 'tcp');
    }

    die "can't connect to port $o{port}: $!\n" unless $sock;

    my $self = bless {
        sock => $sock, in => '', out => [], events => [], pongs => [],
        pings => 0, auto_pong => 1, status => 0, key => $o{key},
    }, $class;

    $self->handshake(%o);
    IMS::Loop::add($self);

    return $self;
}

sub handshake {
    my ($self, %o) = @_;

    $self->{key} = encode_base64(pack('N4', map { int rand 2 ** 32 } 1 .. 4),
        '') unless defined $self->{key};

    my @fields = (
        Host => 'localhost', Upgrade => 'websocket', Connection => 'Upgrade',
        'Sec-WebSocket-Key' => $self->{key},
        'Sec-WebSocket-Version' => $o{version} || 13,
        'Sec-WebSocket-Protocol' => defined $o{protocol} ? $o{protocol} : 'sip',
    );

    push @fields, Origin => $o{origin} if defined $o{origin};
    push @fields, Cookie => $o{cookie} if defined $o{cookie};
    push @fields, Authorization => $o{authorization}
        if defined $o{authorization};

    my $request = ($o{request} || 'GET ' . ($o{path} || '/ims/sip')
        . ' HTTP/1.1') . "\r\n";

    while (my ($name, $value) = splice @fields, 0, 2) {
        $request .= "$name: $value\r\n"
            unless grep { lc $_ eq lc $name } @{$o{drop} || []};
    }

    $request .= "$_\r\n" for @{$o{headers} || []};
    $request .= "\r\n" . ($o{extra} || '');

    Test::Nginx::log_out($request);
    $self->{sock}->syswrite($request);

    my $in = '';
    my $select = IO::Select->new($self->{sock});

    while ($in !~ /\r\n\r\n/) {
        last unless $select->can_read(5 * $IMS::Loop::SLOW);
        last unless $self->{sock}->sysread($in, 65536, length $in);
    }

    Test::Nginx::log_in($in);

    my ($head, $rest) = split /\r\n\r\n/, $in, 2;
    $head = '' unless defined $head;
    $self->{status} = $1 if $head =~ m!^HTTP/1\.[01] (\d{3})!;
    $self->{head} = "$head\r\n";

    if ($self->{status} == 101) {
        $self->{in} = $rest;
        $self->{sock}->blocking(0);
        $self->parse();

    } else {
        $self->{body} = $rest;
    }
}

sub header {
    my ($self, $name) = @_;

    return $self->{head} =~ /^\Q$name\E:[ \t]*(.*?)\r$/mi ? $1 : undef;
}

# what Sec-WebSocket-Accept must be

sub accept_value {
    my ($self) = @_;

    return sha1_base64($self->{key} . '258EAFA5-E914-47DA-95CA-C5AB0DC85B11')
        . '=';
}

# The bytes of a frame. fin, mask, rsv: as they shall stand; len: a length that
# lies; form: 7, 16 or 64 bits for the length.

sub frame_bytes {
    my ($opcode, $payload, %o) = @_;

    my $len = defined $o{len} ? $o{len} : length $payload;
    my $form = $o{form} || ($len < 126 ? 7 : $len < 65536 ? 16 : 64);
    my $fin = defined $o{fin} ? $o{fin} : 1;
    my $masked = defined $o{mask} ? $o{mask} : 1;

    my $bytes = pack 'CC', $fin << 7 | ($o{rsv} || 0) << 4 | $opcode,
        $masked << 7 | ($form == 7 ? $len : $form == 16 ? 126 : 127);

    $bytes .= pack 'n', $len if $form == 16;
    $bytes .= pack 'Q>', $len if $form == 64;

    if ($masked) {
        my $mask = pack 'N', int rand 2 ** 32;
        my $pad = $mask x (1 + length($payload) / 4);
        $payload = $payload ^ substr $pad, 0, length $payload;
        $bytes .= $mask;
    }

    return $bytes . $payload;
}

sub frame {
    my ($self, @frame) = @_;

    return $self->write(frame_bytes(@frame));
}

sub write {
    my ($self, $bytes) = @_;
    local $SIG{PIPE} = 'IGNORE';
    my $sock = $self->{sock} or return 0;
    my $select = IO::Select->new($sock);

    while (length $bytes) {
        my $n = $sock->syswrite($bytes);

        if (!defined $n) {
            return 0 unless $!{EAGAIN} || $!{EWOULDBLOCK};
            $select->can_write(1);
            next;
        }

        substr $bytes, 0, $n, '';
    }

    return 1;
}

sub send {
    my ($self, $text) = @_;

    Test::Nginx::log_out($text);

    return $self->frame(TEXT, $text);
}

sub send_binary { return $_[0]->frame(BINARY, $_[1]) }

# for IMS::Loop

sub fh { return $_[0]->{sock} ? ($_[0]->{sock}) : () }

sub readable {
    my ($self) = @_;

    while (1) {
        my $n = $self->{sock}->sysread($self->{in}, 65536, length $self->{in});
        next if $n;
        last if !defined $n && ($!{EAGAIN} || $!{EWOULDBLOCK});

        $self->{eof} = 1;
        last;
    }

    $self->parse();
    $self->drop() if $self->{eof};
}

sub parse {
    my ($self) = @_;

    while (length $self->{in} >= 2) {
        my ($first, $second) = unpack 'CC', $self->{in};
        my ($at, $len) = (2, $second & 127);

        if ($len > 125) {
            my $size = $len == 126 ? 2 : 8;
            return if length $self->{in} < 2 + $size;
            $len = unpack $len == 126 ? 'n' : 'Q>',
                substr $self->{in}, 2, $size;
            $at += $size;
        }

        return if length $self->{in} < $at + $len;

        my $payload = substr $self->{in}, $at, $len;
        substr $self->{in}, 0, $at + $len, '';

        $self->{masked} = 1 if $second & 128;
        $self->{rsv} = 1 if $first & 0x70;
        $self->got($first & 15, $first >> 7, $payload);
    }
}

sub got {
    my ($self, $opcode, $fin, $payload) = @_;

    if ($opcode == PING) {
        $self->{pings}++;
        $self->frame(PONG, $payload) if $self->{auto_pong};

    } elsif ($opcode == PONG) {
        push @{$self->{pongs}}, $payload;

    } elsif ($opcode == CLOSE) {
        $self->{close_code} = length $payload >= 2
            ? unpack 'n', $payload : 1005;
        $self->{close_reason} = substr $payload, 2 if length $payload > 2;
        $self->frame(CLOSE, substr $payload, 0, 2) unless $self->{closing};

    } else {
        $self->{opcode} = $opcode if $opcode != CONT;
        $self->{part} = ($self->{part} || '') . $payload;
        return unless $fin;

        Test::Nginx::log_in($self->{part});
        push @{$self->{events}}, [ $self->{opcode}, delete $self->{part} ];
    }
}

# waits for a message: its text, or undef; in list context also the opcode

sub recv {
    my ($self, $seconds) = @_;

    my $event = IMS::Loop::wait_for(sub {
        return shift @{$self->{events}} || ($self->{sock} ? 0 : []);
    }, $seconds);

    return unless $event && @$event;
    return wantarray ? ($event->[1], $event->[0]) : $event->[1];
}

# waits for the server to close; the code of its close frame, 1006 without one

sub closed {
    my ($self, $seconds) = @_;

    IMS::Loop::wait_for(sub { !$self->{sock} }, $seconds) or return undef;

    return $self->{close_code} || 1006;
}

sub is_open {
    my ($self) = @_;

    IMS::Loop::pause(0.05);

    return defined $self->{sock} && !defined $self->{close_code};
}

sub pong_of {
    my ($self, $payload, $seconds) = @_;

    return IMS::Loop::wait_for(sub {
        return scalar grep { $_ eq $payload } @{$self->{pongs}};
    }, $seconds);
}

# says good-bye properly, as a page that is left

sub close {
    my ($self, $code) = @_;

    return unless $self->{sock};

    $self->{closing} = 1;
    $self->frame(CLOSE, pack 'n', $code || 1000);
    IMS::Loop::wait_for(sub { !$self->{sock} }, 3);
    $self->drop();
}

# is gone without a word, as a phone in a tunnel

sub drop {
    my ($self) = @_;

    IMS::Loop::del($self);
    (delete $self->{sock})->close() if $self->{sock};
}

sub DESTROY { $_[0]->drop() }

1;
