package IMS::Flow;

# Copyright (C) the IMS portal authors

# The media helper itself, and the media of a browser at it: t/media/mh_flow
# sends a packet every 20 ms, and IMS::Flow->echo is a far end that sends each
# back.

use warnings;
use strict;

use File::Basename qw/ dirname /;
use IMS::Loop;
use IMS::NG;
use IMS::SDP qw/ ims_sdp /;
use IMS::SIP;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use IPC::Open2;
use Time::HiRes qw/ sleep time /;

my $top = dirname(__FILE__) . '/../../..';

our $HELPER = $ENV{MEDIA_HELPER} || "$top/media-helper/media-helper";
our $FLOW = "$top/t/media/build/mh_flow";

# why this cannot be, or nothing

sub missing {
    return "$HELPER is not built" unless -x $HELPER;
    system("make -s -C $top/t/media >&2") == 0 && -x $FLOW
        or return "$FLOW is not built";
    return;
}

# The helper: its socket, IMS::Flow::Server->stop() ends it. web: port of the
# browser side; ports: of the IMS side.

sub helper {
    my ($class, $socket, %o) = @_;
    my $old = umask 0;

    my $pid = fork();
    die "fork: $!\n" unless defined $pid;

    if (!$pid) {
        open STDERR, '>>', "$socket.log";
        open STDOUT, '>&', \*STDERR;
        exec $HELPER, '-d', '-c', "unix:$socket", '-w', "127.0.0.1:$o{web}",
            '-i', '127.0.0.1', '-p', $o{ports}, @{$o{options} || []};
        die "can't run $HELPER: $!\n";
    }

    umask $old;
    IMS::Loop::wait_for(sub { -S $socket }, 10);
    chmod 0666, $socket;

    return bless { pid => $pid, socket => $socket }, 'IMS::Flow::Server';
}

# a far end's media: its port, or an SDP for it

sub echo_port {
    my ($t) = @_;
    my $s = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1')
        or die "no socket: $!\n";

    $t->run_daemon(sub {
        local $SIG{TERM} = 'DEFAULT';
        while (defined(my $from = $s->recv(my $packet, 2048))) {
            $s->send($packet, 0, $from);
        }
    });

    return $s->sockport();
}

sub echo {
    my ($class, $t) = @_;

    return ims_sdp(port => echo_port($t)) =~ s/192\.0\.2\.9/127.0.0.1/gr;
}

# a browser's media; how: see mh_flow

sub new {
    my ($class, @how) = @_;
    my $self = bless { said => '' }, $class;

    $self->{pid} = open2($self->{out}, $self->{in}, $FLOW, '127.0.0.1', @how);

    return $self;
}

sub line {
    my ($self) = @_;
    my $out = IO::Select->new($self->{out});

    while (1) {
        return $1 if $self->{said} =~ s/^(.*)\n//;
        $out->can_read(20 * $IMS::Loop::SLOW) or return '';
        sysread $self->{out}, $self->{said}, 4096, length $self->{said}
            or return '';
    }
}

sub sdp {
    my ($self) = @_;
    my ($sdp, $line) = ('');

    $sdp .= "$line\n" while ($line = $self->line()) ne '' && $line ne '.';

    return $sdp =~ s/\r?\n/\r\n/gr;
}

# the other's SDP; what became of it: "connected", or what was wrong

sub go {
    my ($self, $sdp) = @_;

    print {$self->{in}} $sdp =~ s/\r//gr, ".\n";
    $self->{in}->flush();

    return $self->line();
}

sub freeze { kill STOP => $_[0]{pid} }
sub thaw { kill CONT => $_[0]{pid} }

# What became of the packets since it was asked last: sent, received, gap (ms,
# by packets that were lost), delay (ms, but for what this host's load did).

sub figures {
    my ($self) = @_;

    print {$self->{in}} "now\n";
    $self->{in}->flush();

    my ($sent, $received, $run, $delay, $late) = split ' ', $self->line();

    return { sent => $sent // 0, received => $received // 0,
        gap => 20 * ($run // 1e6), delay => ($delay // 1e6) - ($late // 0) };
}

sub now { return @{$_[0]->figures()}{qw/ sent received /} }

# packets go there and come back; how many did, of 20 that are wanted

sub back {
    my ($self) = @_;
    my $back = 0;

    $self->now();

    IMS::Loop::wait_for(sub { $back += ($self->now())[1]; $back >= 20 }, 20);

    return $back;
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $!);

    $self->thaw() if $self->{pid};
    close $_ for grep { defined } @$self{qw/ in out /};
    kill TERM => $self->{pid} if $self->{pid};
    waitpid $self->{pid}, 0 if $self->{pid};
}

package IMS::Flow::Server;

# one command; the reply

sub ng {
    my ($self, $command, @keys) = @_;
    my $s = IO::Socket::UNIX->new(Peer => $self->{socket}) or return {};
    my $cookie = IMS::SIP::unique('q');
    my $got = '';

    syswrite $s, "$cookie " . IMS::NG::encode({ command => $command, @keys });

    while (IO::Select->new($s)->can_read(10)) {
        sysread $s, $got, 65536, length $got or last;
        my ($reply) = IMS::NG::decode($got, 1 + length $cookie);
        return $reply if $reply;
    }

    return {};
}

sub calls { return @{$_[0]->ng('list')->{calls} || []} }

sub stop {
    my ($self, $signal) = @_;
    local ($?, $!);

    my $pid = delete $self->{pid} or return;
    kill $signal || 'TERM' => $pid;
    waitpid $pid, 0;
    unlink $self->{socket};
}

sub DESTROY { $_[0]->stop('KILL') }

1;
