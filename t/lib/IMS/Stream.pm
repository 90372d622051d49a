package IMS::Stream;

# Copyright (C) the IMS portal authors

# SIP over TCP and TLS, for the scripted core: connections that were accepted
# or made, and the messages in them. Handshakes block: the other end is another
# process.

use warnings;
use strict;

use IO::Socket::IP;
use Socket qw/ SOCK_STREAM /;

# the other end may close whenever it likes, in a handshake, too

$SIG{PIPE} = 'IGNORE';

# a listening socket

sub listener {
    my ($addr, $port) = @_;

    my $sock = IO::Socket::IP->new(Type => SOCK_STREAM, Proto => 'tcp',
        Listen => 16, ReuseAddr => 1, LocalHost => $addr, LocalPort => $port)
        or die "can't listen on port $port: $!\n";
    $sock->blocking(0);

    return $sock;
}

# From an accepted socket, or to an address. ssl: options for IO::Socket::SSL;
# undef when the handshake failed, and why is in $IO::Socket::SSL::SSL_ERROR.

sub new {
    my ($class, %o) = @_;

    my $sock = $o{sock} || IO::Socket::IP->new(Type => SOCK_STREAM,
        Proto => 'tcp', PeerHost => $o{addr}, PeerPort => $o{port},
        ($o{from} ? (LocalHost => $o{from}) : ()))
        or die "can't connect to port $o{port}: $!\n";

    if ($o{ssl}) {
        require IO::Socket::SSL;
        $sock->blocking(1);
        $sock = IO::Socket::SSL->start_SSL($sock, SSL_server => !!$o{sock},
            Timeout => 5, %{$o{ssl}}) or return undef;
    }

    $sock->blocking(0);

    return bless { sock => $sock, in => '', crlf => 0,
        accepted => !!$o{sock} }, $class;
}

sub close {
    my ($self) = @_;

    $self->{sock}->close() if $self->{sock};
    delete $self->{sock};

    return $self;
}

sub write {
    my ($self, $bytes) = @_;

    return unless $self->{sock};

    $self->{sock}->blocking(1);

    while (length $bytes) {
        my $n = $self->{sock}->syswrite($bytes);
        last unless $n;
        substr($bytes, 0, $n, '');
    }

    $self->{sock}->blocking(0);

    return $self;
}

# What has come: whole messages. eof is set when the other end has closed;
# crlf counts line ends between messages.

sub messages {
    my ($self) = @_;
    my @messages;

    while ($self->{sock}) {
        my $n = $self->{sock}->sysread($self->{in}, 65536,
            length $self->{in});

        next if $n;
        last if !defined $n
            && ($!{EAGAIN} || $!{EWOULDBLOCK} || $!{EINTR});

        $self->{eof} = 1;
        last;
    }

    while (1) {
        $self->{crlf}++ while $self->{in} =~ s/^\r\n//;

        last unless $self->{in} =~ /^(.*?\r\n\r\n)/s;

        my $head = $1;
        my ($len) = $head =~ /^(?:Content-Length|l)\s*:\s*(\d+)/mi;
        $len = 0 unless defined $len;

        last if length $self->{in} < length($head) + $len;

        push @messages, substr $self->{in}, 0, length($head) + $len, '';
    }

    return @messages;
}

1;
