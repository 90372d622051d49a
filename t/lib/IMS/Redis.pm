package IMS::Redis;

# Copyright (C) the IMS portal authors

# A real redis-server in the test's folder: started, paused, killed, started
# again with what it had or empty, replicated, promoted; and a client.

use warnings;
use strict;

use IMS::Loop;
use IO::Socket::INET;
use POSIX qw/ WNOHANG /;
use Test::More ();
use Time::HiRes qw/ sleep /;

sub available {
    return scalar grep { -x "$_/redis-server" } split /:/, $ENV{PATH} || '';
}

# dir: of the test; port; name: of its folder; conf: more lines

sub new {
    my ($class, %o) = @_;

    my $self = bless { owner => $$, name => 'redis', conf => '', %o }, $class;

    $self->{home} = "$o{dir}/$self->{name}";
    mkdir $self->{home} or die "can't make $self->{home}: $!\n";

    return $self->start();
}

# with what it has on its disk; answers when this returns

sub start {
    my ($self) = @_;

    my $conf = "$self->{home}/redis.conf";

    open my $f, '>', $conf or die "can't create $conf: $!\n";
    print $f "port $self->{port}\nbind 127.0.0.1\ndir $self->{home}\n"
        . "save \"\"\nlogfile $self->{home}/log\nprotected-mode no\n"
        . "repl-diskless-sync-delay 0\n$self->{conf}\n";
    close $f or die "can't write $conf: $!\n";

    $self->{pid} = fork();
    die "can't fork: $!\n" unless defined $self->{pid};

    if ($self->{pid} == 0) {
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        exec 'redis-server', $conf or POSIX::_exit(1);
    }

    for (1 .. 500) {
        my $said = eval { $self->ask('PING') } // '';
        return $self if $said =~ /PONG|NOAUTH|LOADING/;
        die "redis-server ended\n" if waitpid($self->{pid}, WNOHANG) != 0;
        sleep 0.02;
    }

    die "can't start redis-server\n";
}

sub pause { kill 'STOP', $_[0]->{pid} }
sub go { kill 'CONT', $_[0]->{pid} }

sub kill_it {
    my ($self, $signal) = @_;

    return unless $self->{pid};

    kill $signal || 'KILL', $self->{pid};
    kill 'CONT', $self->{pid};
    waitpid $self->{pid}, 0;
    delete $self->{pid};
    delete $self->{socket};
}

# its answer: a text, a number, a reference to a list, or undef; an error is
# "(error) ..."

sub ask {
    my ($self, @words) = @_;

    my $s = IO::Socket::INET->new(Proto => 'tcp', Timeout => 5,
        PeerAddr => "127.0.0.1:$self->{port}") or die "no redis: $!\n";

    my @commands = (($self->{auth} ? [ 'AUTH', @{$self->{auth}} ] : ()),
        [ @words ]);
    my $got;

    for my $c (@commands) {
        print $s '*' . @$c . "\r\n"
            . join '', map { '$' . length($_) . "\r\n$_\r\n" } @$c;
        $got = reply($s);
    }

    return $got;
}

sub reply {
    my ($s) = @_;

    my $line = <$s>;
    die "redis closed\n" unless defined $line;

    $line =~ s/\r\n$//;
    my ($type, $rest) = $line =~ /^(.)(.*)$/;

    return $rest if $type eq '+' || $type eq ':';
    return "(error) $rest" if $type eq '-';

    if ($type eq '$') {
        return undef if $rest < 0;
        read $s, my $text, $rest + 2;
        return substr $text, 0, $rest;
    }

    return undef if $rest < 0;
    return [ map { reply($s) } 1 .. $rest ];
}

sub keys { return sort @{$_[0]->ask('KEYS', '*')} }

sub DESTROY {
    my ($self) = @_;
    local ($?, $!);

    return if $self->{owner} != $$;

    $self->kill_it();
}

1;
