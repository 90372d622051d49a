package Soak::Helpers;

# Copyright (C) the IMS portal authors

# The media helpers: killed and started again, or stopped for a while.

use warnings;
use strict;

use Cwd ();
use File::Basename ();
use IMS::NG;
use IO::Socket::UNIX;

my $ROOT = Cwd::abs_path(File::Basename::dirname(__FILE__) . '/../../..');
my $HELPER = $ENV{MEDIA_HELPER} || "$ROOT/media-helper/media-helper";

-x $HELPER or die "$HELPER is not built: run \"make helper\"\n";

our $N = 2;

# s that an offer waits for its answer: longer than any call rings here
my $OFFER = 20;

sub new {
    my ($class, %o) = @_;

    my $self = bless { %o, pids => [], down => [], main => $$ }, $class;

    $self->start($_) for 0 .. $N - 1;

    return $self;
}

sub start {
    my ($self, $n) = @_;

    my $low = 30000 + 2000 * $n;
    my $socket = $self->socket_of($n);

    unlink $socket;
    $self->{pids}[$n] = Soak::Nginx::run($self->{dir}, $HELPER, '-d',
        '-c', "unix:$socket", '-w', '127.0.0.1:' . (14000 + $n),
        '-i', '127.0.0.1', '-p', "$low-" . ($low + 1999), '-o', $OFFER,
        '-t', 0);
}

sub stop {
    my ($self) = @_;

    return if $self->{main} != $$;

    for my $pid (grep { defined } splice @{$self->{pids}}) {
        kill 'CONT', $pid;
        kill 'TERM', $pid;
        waitpid $pid, 0;
    }
}

sub DESTROY { local $?; $_[0]->stop() }

sub socket_of { return "$_[0]->{dir}/media$_[1].sock" }

# for ims_portal_media

sub sockets {
    my ($self) = @_;

    return join ' ', map { 'unix:' . $self->socket_of($_) } 0 .. $N - 1;
}

# one command, its answer

sub ask {
    my ($self, $n, %command) = @_;

    my $s = IO::Socket::UNIX->new(Peer => $self->socket_of($n)) or return;
    my $in = '';

    syswrite $s, 'soak ' . IMS::NG::encode(\%command);

    while (sysread $s, $in, 65536, length $in) {
        my ($dict, $end) = IMS::NG::decode($in, 5);
        return $dict if defined $end;
    }

    return;
}

# the calls that they have

sub calls {
    my ($self) = @_;
    my @calls;

    for my $n (0 .. $N - 1) {
        my $list = $self->ask($n, command => 'list', limit => 9999);
        push @calls, $list ? @{$list->{calls}} : "helper $n does not answer";
    }

    return @calls;
}

# UDP ports of theirs towards the IMS that are open

sub ports {
    my $open = 0;

    open my $fh, '<', '/proc/net/udp' or die "/proc/net/udp: $!\n";

    while (my $line = <$fh>) {
        next unless $line =~ /^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) /;
        my $port = hex $1;
        $open++ if $port >= 30000 && $port < 30000 + 2000 * $N;
    }

    return $open;
}

sub act {
    my ($self, $what, $o) = @_;

    my $n = $o->{which} % $N;
    my $pid = $self->{pids}[$n];

    return 0 if $self->{down}[$n];

    $self->{down}[$n] = 1;
    Soak::Book::fault($what, $o->{for} + 2);

    if ($what eq 'stop_helper') {
        kill 'STOP', $pid;

    } else {
        kill 'KILL', $pid;
        waitpid $pid, 0;
        $self->{pids}[$n] = undef;
    }

    Soak::Loop::after($o->{for}, sub {
        $self->{down}[$n] = 0;
        $self->{pids}[$n] ? kill('CONT', $pid) : $self->start($n);
    });
}

1;
