package IMS::MediaServer;

# Copyright (C) the IMS portal authors

# Runs the media helper, or rtpengine, on loopback for a test that drives it
# by a program of t/media/build.  MEDIA_HELPER names another helper.

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use File::Temp qw/ tempdir /;
use IMS::NG;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX qw/ WNOHANG /;
use Test::More ();

my $top = abs_path(dirname(__FILE__) . '/../../..');

sub helper { $ENV{MEDIA_HELPER} || "$top/media-helper/media-helper" }
sub program { "$top/t/media/build/mh_$_[1]" }

sub free_port {
    my ($udp, $tcp);

    for (1 .. 100) {
        $udp = IO::Socket::INET->new(Proto => 'udp',
            LocalAddr => '127.0.0.1', LocalPort => 0) or die "socket: $!";

        # -T may want the same number for TCP
        $tcp = IO::Socket::INET->new(Proto => 'tcp', Listen => 1,
            LocalAddr => '127.0.0.1', LocalPort => $udp->sockport());

        last if $tcp;
    }

    return $udp->sockport();
}

# options: further ones of the helper; env: of its process

sub helper_new {
    my ($class, %o) = @_;

    my $dir = tempdir('media-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    my $self = bless { dir => $dir, log => "$dir/log",
        control => "unix:$dir/ng.sock", web => free_port() }, $class;

    return $self->run($o{env} || {}, sub { -S "$dir/ng.sock" }, helper(),
        '-d', '-c', $self->{control}, '-w', "127.0.0.1:$self->{web}",
        '-i', '127.0.0.1', '-p', '30000-31000', @{$o{options} || []});
}

sub rtpengine_new {
    my ($class) = @_;

    my $dir = tempdir('media-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    my $ng = free_port();
    my $self = bless { dir => $dir, log => "$dir/log",
        control => "udp:127.0.0.1:$ng" }, $class;

    return $self->run({}, sub { $self->pings($ng) }, 'rtpengine',
        qw/ -f --config-file=none --table=-1 -E --port-min=30000
            --port-max=31000 --delete-delay=0 /,
        '--interface=web/127.0.0.1', '--interface=ims/127.0.0.1',
        "--listen-ng=127.0.0.1:$ng");
}

sub run {
    my ($self, $env, $ready, @command) = @_;

    my $pid = fork();
    die "fork: $!" unless defined $pid;

    if ($pid == 0) {
        $ENV{$_} = $env->{$_} for keys %$env;
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', $self->{log};
        open STDERR, '>&', \*STDOUT;
        exec @command or POSIX::_exit(127);
    }

    $self->{pid} = $pid;

    my $end = time() + 60;
    until ($ready->()) {
        die "$command[0] ended at once:\n" . $self->text()
            if waitpid($pid, WNOHANG) == $pid;
        die "$command[0] is not ready\n" if time() > $end;
        select undef, undef, undef, 0.05;
    }

    return $self;
}

# runs a program of t/media/build against it: [ good, name ] for each of its
# tests, and a last one that all of them were told

sub results {
    my ($self, $program, @options) = @_;
    my ($plan, @results) = (0);

    open my $out, '-|', program(undef, $program), @options, '-c',
        $self->{control} or die "fork: $!";

    while (my $line = <$out>) {
        push @results, [!$1, $2] if $line =~ /^(not )?ok \d+ - (.*)/;
        $plan = $1 if $line =~ /^1\.\.(\d+)$/;
        Test::More::note($1) if $line =~ /^# (.*)/;
    }

    close $out;

    return @results,
        [$plan > 0 && $plan == @results, "mh_$program told all of it"];
}

sub pings {
    my ($self, $port) = @_;

    my $s = IO::Socket::INET->new(Proto => 'udp', PeerAddr => '127.0.0.1',
        PeerPort => $port) or return 0;
    my ($in, $got) = ('', '');
    $s->send('p_' . rand() . ' d7:command4:pinge');
    vec($in, fileno($s), 1) = 1;

    return select($in, undef, undef, 0.3) > 0 && defined $s->recv($got, 512)
        && $got =~ /pong/;
}

# one ng command, without a cookie: so nothing of it is kept.  Returns the
# reply, or nothing if the connection was closed instead

sub ng {
    my ($self, $command, %keys) = @_;

    $self->reconnect() unless $self->{ng};

    my $bytes = '';
    my $end = time() + 60;

    send $self->{ng}, IMS::NG::encode({ command => $command, %keys }), 0;

    while (time() < $end) {
        next unless IO::Select->new($self->{ng})->can_read(1);
        defined recv $self->{ng}, my $part, 65536, 0 or last;
        last if $part eq '';
        $bytes .= $part;

        my ($reply, $done) = IMS::NG::decode($bytes, 0);
        return $reply if defined $done;
    }

    delete $self->{ng};

    return;
}

sub reconnect {
    my ($self) = @_;

    $self->{ng} = IO::Socket::UNIX->new(Peer => "$self->{dir}/ng.sock",
        Type => SOCK_STREAM) or die "no control socket: $!\n";
}

sub alive { waitpid($_[0]{pid}, WNOHANG) == 0 }

sub text { local (@ARGV, $/) = $_[0]{log}; my $t = <>; $t // '' }

# what /proc says of it, in KiB

sub status {
    my ($self, $key) = @_;

    open my $f, '<', "/proc/$self->{pid}/status" or return undef;
    my ($v) = map { /^\Q$key\E:\s*(.*)/ ? $1 : () } <$f>;

    return $v;
}

# ends it; returns the status that it left with

sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid} or return 0;
    kill 'TERM', $pid;
    waitpid $pid, 0;

    return $?;
}

sub DESTROY { local $?; $_[0]->stop() if $_[0]{pid} }

1;
