package Soak::Operator;

# Copyright (C) the IMS portal authors

# nginx with the portal and two media helpers: started, reloaded, stopped and
# killed.

use warnings;
use strict;

use Cwd ();
use File::Basename ();
use IMS::NG;
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP qw/ decode_json /;
use POSIX ();
use Time::HiRes qw/ sleep /;

my $ROOT = Cwd::abs_path(File::Basename::dirname(__FILE__) . '/../../..');
my $NGINX = $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx';
my $HELPER = $ENV{MEDIA_HELPER} || "$ROOT/media-helper/media-helper";
my $GLOBALS = defined $ENV{TEST_NGINX_GLOBALS} ? $ENV{TEST_NGINX_GLOBALS}
    : "load_module $ROOT/build/ngx_ims_portal_module.so;";

our ($HTTP, $PORTAL, $CORE) = (18080, 15070, 15060);
our $HELPERS = 2;
our $WORKERS = 2;

my $SILENT = 3;         # s that the core says nothing

# dir; identities: as many, and half of them more with the other pool

sub new {
    my ($class, %o) = @_;

    my $self = bless { %o, more => 0, helpers => [], main => $$ }, $class;

    $self->helper($_) for 0 .. $HELPERS - 1;
    $self->nginx();

    return $self;
}

sub start {
    my ($self, @command) = @_;

    my $pid = fork();
    defined $pid or die "fork: $!\n";
    return $pid if $pid;

    open STDOUT, '>>', "$self->{dir}/daemons.log";
    open STDERR, '>&', \*STDOUT;
    exec @command or POSIX::_exit(127);
}

# nothing stays behind

sub stop {
    my ($self) = @_;

    return if $self->{main} != $$;

    for my $pid (grep { defined } $self->{master}, @{$self->{helpers}}) {
        kill 'CONT', $pid;
        kill 'TERM', $pid;
        waitpid $pid, 0;
    }

    $self->{helpers} = [];
    delete $self->{master};
}

sub DESTROY { local $?; $_[0]->stop() }

# the media helpers

sub socket_of { return "$_[0]->{dir}/media$_[1].sock" }

sub helper {
    my ($self, $n) = @_;

    my $low = 30000 + 2000 * $n;
    my $socket = $self->socket_of($n);

    unlink $socket;
    $self->{helpers}[$n] = $self->start($HELPER, '-d', '-c', "unix:$socket",
        '-w', '127.0.0.1:' . (14000 + $n), '-i', '127.0.0.1',
        '-p', "$low-" . ($low + 1999), '-o', 0, '-t', 0);
}

sub ports { return (30000, 30000 + 2000 * $HELPERS - 1) }

# one command, its answer

sub ask_helper {
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

# nginx

sub nginx {
    my ($self) = @_;

    $self->configure();
    $self->{master} = $self->start($NGINX, '-p', $self->{dir}, '-c',
        "$self->{dir}/nginx.conf", '-e', "$self->{dir}/error.log");

    for (1 .. 200) {
        return if $self->http('GET', '/ims/status');
        sleep 0.05;
    }

    die "nginx does not start, see $self->{dir}\n";
}

sub configure {
    my ($self) = @_;

    my $more = $self->{more} ? sprintf 'identity sip:x[001-%03u]@acme'
        . '.ims.operator.example;', $self->{identities} / 2 : '';
    my $last = sprintf '%03u', $self->{identities};
    my $t1 = 1000 * $Soak::Side::T1;
    my $media = join ' ', map { 'unix:' . $self->socket_of($_) }
        0 .. $HELPERS - 1;

    open my $fh, '>', "$self->{dir}/nginx.conf" or die "nginx.conf: $!\n";
    print $fh <<"EOC";
$GLOBALS
daemon off;
worker_processes $WORKERS;
worker_shutdown_timeout 15s;
pid $self->{dir}/nginx.pid;
error_log $self->{dir}/error.log info;

events {
    worker_connections 1024;
}

http {
    access_log off;
    client_body_temp_path $self->{dir}/client;
    proxy_temp_path $self->{dir}/proxy;
    fastcgi_temp_path $self->{dir}/fastcgi;
    uwsgi_temp_path $self->{dir}/uwsgi;
    scgi_temp_path $self->{dir}/scgi;

    ims_portal_core operator {
        listen 127.0.0.1:$PORTAL;
        server 127.0.0.1:$CORE;
        home_domain ims.operator.example;
        timeout 2s;
    }

    ims_portal_pool acme zone=acme:2m core=operator {
        identity sip:u[001-$last]\@acme.ims.operator.example;
        $more
    }

    ims_portal_media $media;
    ims_portal_media_timeout 1s;
    ims_portal_timer_t1 ${t1}ms;
    ims_portal_grace ${Soak::Call::GRACE}s;
    ims_portal_drain 2s;

    server {
        listen 127.0.0.1:$HTTP;

        ims_portal_jwt \$cookie_ims_session;
        ims_portal_jwt_key file=$self->{dir}/login.jwks;
        ims_portal_jwt_issuer https://login.acme.example;
        ims_portal_jwt_audience ims-portal;
        ims_portal_origin any;
        ims_portal_plain_ws on;

        location = /ims/sip { ims_portal acme; }
        location = /ims/session { ims_portal_session acme; }
        location = /ims/status { ims_portal_status; }
    }
}
EOC
    close $fh or die "nginx.conf: $!\n";
}

# processes of nginx: all of the master's, and those that take new sockets

sub workers {
    my ($self) = @_;

    my $path = "/proc/$self->{master}/task/$self->{master}/children";
    open my $fh, '<', $path or return;

    return split ' ', readline($fh) || '';
}

sub serving { return grep { title($_) !~ /shutting down/ } $_[0]->workers() }

sub title {
    my ($pid) = @_;

    open my $fh, '<', "/proc/$pid/cmdline" or return '';
    return readline($fh) || '';
}

sub http {
    my ($self, $method, $uri) = @_;

    my $s = IO::Socket::INET->new("127.0.0.1:$HTTP") or return;
    my $in = '';

    print $s "$method $uri HTTP/1.0\r\n\r\n";

    while (IO::Select->new($s)->can_read(2)) {
        sysread $s, $in, 65536, length $in or last;
    }

    return $in =~ /\r\n\r\n(.*)/s ? $1 : undef;
}

# The status, with the figures of all workers that serve added up: who has
# answered is held up, so that another does.

sub status {
    my ($self) = @_;
    my ($status, @held, %sum);

    for (1 .. $self->serving()) {
        my $json = $self->http('GET', '/ims/status') or last;
        $status = decode_json($json);
        my $worker = $status->{worker};

        $sum{$_} += $worker->{$_} for grep { $_ ne 'pid' } keys %$worker;
        push @held, $worker->{pid};
        kill 'STOP', $worker->{pid};
    }

    kill 'CONT', @held if @held;
    $status->{worker} = \%sum if $status;

    return $status;
}

# what may be wrong, by the plan

sub act {
    my ($self, $what, $o, $core) = @_;

    if ($what eq 'reload' || $what eq 'reload_pool') {
        $self->{more} ^= 1 if $what eq 'reload_pool';
        $self->configure();
        Soak::Book::fault($what, 4);
        kill 'HUP', $self->{master};

    } elsif ($what eq 'kill_worker') {
        my @pids = $self->workers() or return 0;
        Soak::Book::fault($what, 3);
        my $pid = $pids[$o->{which} % @pids];
        $self->{killed}{$pid} = 1;
        kill "KILL", $pid;

    } elsif ($what =~ /^(kill|stop)_helper$/) {
        $self->hurt($what, $o->{which} % $HELPERS, $o->{for});

    } elsif ($what eq 'silent') {
        Soak::Book::fault($what, $SILENT);
        $core->silent($SILENT);

    } elsif ($what eq 'refuse') {
        Soak::Book::fault($what, $o->{for});
        $core->refuse($o->{for});

    } elsif ($what eq 'amnesia') {
        Soak::Book::fault($what, 5);
        $core->amnesia();
    }

    return 1;
}

sub hurt {
    my ($self, $what, $n, $for) = @_;

    my $pid = $self->{helpers}[$n];

    Soak::Book::fault($what, $for + 2);

    if ($what eq 'stop_helper') {
        kill 'STOP', $pid;
        Soak::Loop::after($for, sub { kill 'CONT', $pid });
        return;
    }

    return if $self->{down}[$n];
    $self->{down}[$n] = 1;
    kill 'KILL', $pid;
    waitpid $pid, 0;
    $self->{helpers}[$n] = undef;
    Soak::Book::count('helpers killed');

    Soak::Loop::after($for, sub {
        $self->{down}[$n] = 0;
        $self->helper($n);
    });
}

1;
