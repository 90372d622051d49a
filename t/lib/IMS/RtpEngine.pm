package IMS::RtpEngine;

# Copyright (C) the IMS portal authors

# rtpengine in the media helper's place, on loopback:
# IMS::RtpEngine->new(dir => for its log, control => [ options that say where it
# listens ], peer => how a test reaches it: [ host, port ], ports => its own,
# options => [ more ]), ->start(options), ->stop(signal), ->ng(command, keys).

use warnings;
use strict;

use IMS::Loop;
use IMS::NG;
use IMS::SIP;
use IO::Select;
use IO::Socket::IP;
use Socket qw/ SOCK_DGRAM /;

# its program, or nothing

sub program {
    my ($path) = grep { -x } map { "$_/rtpengine" } split(/:/, $ENV{PATH}),
        '/usr/sbin', '/usr/bin';

    return $path;
}

sub new {
    my ($class, %o) = @_;

    return bless({ %o }, $class)->start();
}

sub start {
    my ($self, @options) = @_;
    my ($first, $last) = split /-/, $self->{ports};

    my $pid = fork();
    die "fork: $!\n" unless defined $pid;

    if (!$pid) {
        open STDERR, '>>', "$self->{dir}/rtpengine.log";
        open STDOUT, '>&', \*STDERR;
        exec program(), '-f', '--config-file=none', '--table=-1', '-E',
            '--interface=web/127.0.0.1', '--interface=ims/127.0.0.1',
            @{$self->{control}}, "--port-min=$first", "--port-max=$last",
            '--delete-delay=0', @{$self->{options} || []}, @options;
        die "can't run rtpengine: $!\n";
    }

    $self->{pid} = $pid;

    IMS::Loop::wait_for(sub { $self->ng('ping')->{result} }, 30);

    return $self;
}

sub pause { kill STOP => $_[0]{pid} }
sub resume { kill CONT => $_[0]{pid} }

sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;

    kill CONT => $pid;
    kill KILL => $pid;
    waitpid $pid, 0;
}

sub DESTROY { local ($?, $!); $_[0]->stop() }

# one command by UDP; the reply

sub ng {
    my ($self, $command, @keys) = @_;
    my $s = IO::Socket::IP->new(Type => SOCK_DGRAM,
        PeerHost => $self->{peer}[0], PeerPort => $self->{peer}[1])
        or return {};
    my $cookie = IMS::SIP::unique('q');
    my $got = '';

    syswrite $s, "$cookie " . IMS::NG::encode({ command => $command, @keys });
    IO::Select->new($s)->can_read(5) or return {};
    sysread $s, $got, 65536 or return {};

    my ($reply) = IMS::NG::decode($got, 1 + length $cookie);

    return $reply || {};
}

sub calls { return @{$_[0]->ng('list')->{calls} || []} }

1;
