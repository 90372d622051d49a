package IMS::Helper;

# Copyright (C) the IMS portal authors

# A media helper of its own for a test, and ng commands to it over its Unix
# socket: IMS::Helper->new(options), ->ng(command, keys), ->stop().

use warnings;
use strict;

use File::Temp qw/ tempdir /;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Socket qw/ SOCK_STREAM /;

use IMS::NG;

sub new {
    my ($class, $helper, @options) = @_;

    my $dir = tempdir('helper-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    my $self = bless { dir => $dir, cookie => 0 }, $class;
    my %has = map { $_ => 1 } grep { /^-/ } @options;

    unshift @options, '-w', '127.0.0.1:' . free_port() unless $has{-w};
    unshift @options, '-i', '127.0.0.1' unless $has{-i};

    $self->{pid} = fork();
    die "fork: $!" unless defined $self->{pid};

    if ($self->{pid} == 0) {
        open STDERR, '>', "$dir/log";
        exec $helper, '-d', '-v', '-c', "unix:$dir/s", '-p', '28300-28899',
            @options;
        die "exec: $!";
    }

    for (1 .. 400) {
        $self->{sock} = IO::Socket::UNIX->new(Peer => "$dir/s",
            Type => SOCK_STREAM) and return $self;
        select undef, undef, undef, 0.05;
    }

    die "no control socket\n";
}

sub ng {
    my ($self, $command, @keys) = @_;
    my $name = 'k_' . $self->{cookie}++;
    my $bytes = '';

    send $self->{sock}, "$name "
        . IMS::NG::encode({ command => $command, @keys }), 0;

    while (IO::Select->new($self->{sock})->can_read(20)) {
        recv $self->{sock}, my $part, 65536, 0;
        last if $part eq '';
        $bytes .= $part;
        my ($value, $end) = IMS::NG::decode($bytes, length($name) + 1);
        return $value if defined $end;
    }

    die "no reply to $command\n";
}

# how it ended (0 is good), and what it had to say

sub stop {
    my ($self) = @_;

    close $self->{sock};
    kill 'TERM', $self->{pid};
    waitpid delete $self->{pid}, 0;
    my $status = $?;

    return ($status, do { local (@ARGV, $/) = "$self->{dir}/log"; <> });
}

sub DESTROY {
    my ($self) = @_;
    local $?;

    if ($self->{pid}) {
        kill 'TERM', $self->{pid};
        waitpid $self->{pid}, 0;
    }
}

sub free_port {
    my $s = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1',
        LocalPort => 0) or die "socket: $!";
    return $s->sockport();
}

1;
