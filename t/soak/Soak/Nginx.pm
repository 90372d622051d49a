package Soak::Nginx;

# Copyright (C) the IMS portal authors

# nginx with the portal, as its administrator handles it: started, reloaded,
# upgraded, stopped, killed.

use warnings;
use strict;

use IO::Select;
use IO::Socket::INET;
use JSON::PP qw/ decode_json /;
use POSIX ();
use Time::HiRes qw/ sleep /;

my $NGINX = $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx';

our ($HTTP, $PORTAL, $CORE) = (18080, 15070, 15060);
our $WORKERS = 2;

# dir; globals: lines in front of the configuration; identities: as many, and
# half of them more with the other pool; helpers: their sockets

sub new {
    my ($class, %o) = @_;

    my $self = bless { %o, more => 0, killed => {}, hasty => {}, main => $$ },
        $class;

    $self->start();

    return $self;
}

# a process whose words go to a file of the folder

sub run {
    my ($dir, @command) = @_;

    my $pid = fork();
    defined $pid or die "fork: $!\n";
    return $pid if $pid;

    open STDOUT, '>>', "$dir/daemons.log";
    open STDERR, '>&', \*STDOUT;
    exec @command or POSIX::_exit(127);
}

sub start {
    my ($self) = @_;

    my $dir = $self->{dir};

    $self->configure();
    unlink "$dir/nginx.pid";
    waitpid run($dir, $NGINX, '-p', $dir, '-c', "$dir/nginx.conf", '-e',
        "$dir/error.log"), 0;

    for (1 .. 200) {
        $self->{master} = first_line("$dir/nginx.pid");
        last if $self->{master} && alive($self->{master});
        sleep 0.01;
    }

    $self->{master} or die "nginx does not start, see $dir\n";
    $self->{masters} = [ $self->{master} ];
}

sub first_line {
    my ($file) = @_;

    open my $fh, '<', $file or return '';
    return (readline($fh) || '') =~ s/\n$//r;
}

sub alive { return first_line("/proc/$_[0]/stat") =~ /\) [^Z]/ }

# nothing stays behind

sub stop {
    my ($self) = @_;

    return if $self->{main} != $$;

    my @pids = grep { alive($_) } @{$self->{masters}};

    kill 'TERM', @pids;

    for (1 .. 100) {
        last unless grep { alive($_) } @pids;
        sleep 0.05;
    }

    kill 'KILL', map { children($_), $_ } grep { alive($_) } @pids;
    $self->{masters} = [];
}

sub DESTROY { local $?; $_[0]->stop() }

sub configure {
    my ($self) = @_;

    my $dir = $self->{dir};
    my $more = $self->{more} ? sprintf 'identity sip:x[001-%03u]@acme'
        . '.ims.operator.example;', $self->{identities} / 2 : '';
    my $last = sprintf '%03u', $self->{identities};
    my $t1 = 1000 * $Soak::Side::T1;

    open my $fh, '>', "$dir/nginx.conf" or die "nginx.conf: $!\n";
    print $fh <<"EOC";
$self->{globals}
worker_processes $WORKERS;
worker_shutdown_timeout 10s;
pid $dir/nginx.pid;
error_log $dir/error.log info;

events {
    worker_connections 1024;
}

http {
    access_log off;
    client_body_temp_path $dir/client;
    proxy_temp_path $dir/proxy;
    fastcgi_temp_path $dir/fastcgi;
    uwsgi_temp_path $dir/uwsgi;
    scgi_temp_path $dir/scgi;

    ims_portal_core operator {
        listen 127.0.0.1:$PORTAL;
        server 127.0.0.1:$CORE;
        home_domain ims.operator.example;
        timeout 2s;
    }

    ims_portal_pool acme zone=acme:2m core=operator {
        identity sip:u[001-$last]\@acme.ims.operator.example;
        $more
        store $dir/acme.store;
    }

    ims_portal_media $self->{helpers};
    ims_portal_media_timeout 1s;
    ims_portal_timer_t1 ${t1}ms;
    ims_portal_grace ${Soak::Call::GRACE}s;
    ims_portal_drain 2s;

    server {
        listen 127.0.0.1:$HTTP;

        ims_portal_jwt \$cookie_ims_session;
        ims_portal_jwt_key file=$dir/login.jwks;
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

# processes: all workers, and those that take new sockets

sub children {
    my ($pid) = @_;

    return split ' ', first_line("/proc/$pid/task/$pid/children");
}

sub workers {
    my ($self) = @_;

    my @masters = @{$self->{masters}} = grep { alive($_) } @{$self->{masters}};

    return grep { my $pid = $_; !grep { $pid == $_ } @masters }
        map { children($_) } @masters;
}

sub serving { return grep { title($_) !~ /shutting down/ } $_[0]->workers() }

sub title { return first_line("/proc/$_[0]/cmdline") }

sub http {
    my ($self, $uri) = @_;

    my $s = IO::Socket::INET->new("127.0.0.1:$HTTP") or return;
    my $in = '';

    print $s "GET $uri HTTP/1.0\r\n\r\n";

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
        my $json = $self->http('/ims/status') or last;
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

# what an administrator may do, and what may befall him; false when it cannot
# be now

sub act {
    my ($self, $what, $o) = @_;

    return 0 if $self->{stopped};

    return $self->can("do_$what")->($self, $o);
}

sub do_reload {
    my ($self) = @_;

    Soak::Book::fault('reload', 4);
    $self->configure();
    kill 'HUP', $self->{master};

    return 1;
}

# with other identities, and back

sub do_reload_pool {
    my ($self) = @_;

    $self->{more} ^= 1;
    return $self->do_reload();
}

sub do_kill_worker {
    my ($self, $o) = @_;

    my @pids = $self->workers() or return 0;
    my $pid = $pids[$o->{which} % @pids];

    Soak::Book::fault('kill_worker', 3);
    $self->{killed}{$pid} = 1;
    kill 'KILL', $pid;
}

# a new master beside the old one, which leaves; or the new one does

sub do_upgrade { return $_[0]->beside(sub { $_[0]->succeed($_[1]) }) }
sub do_rollback { return $_[0]->beside(sub { kill 'QUIT', $_[1] }) }

sub beside {
    my ($self, $then) = @_;
    my $old = $self->{master};

    return 0 if grep { $_ != $old && alive($_) } @{$self->{masters}};

    Soak::Book::fault('upgrade', 8);
    kill 'USR2', $old;

    my $tries = 0;
    my $look;

    $look = sub {
        my ($new) = grep { title($_) =~ /master/ } children($old);

        if ($new && $self->{masters}[-1] != $new) {
            push @{$self->{masters}}, $new;
            Soak::Loop::after(1.5, sub { $then->($self, $new) });

        } elsif ($tries++ < 100) {
            Soak::Loop::after(0.1, $look);

        } else {
            Soak::Book::wrong('USR2 makes no new master');
        }
    };

    $look->();
    return 1;
}

sub succeed {
    my ($self, $new) = @_;

    kill 'QUIT', $self->{master};
    $self->{master} = $new;
}

# stopped fast, and started again; killed with all workers at once

sub do_restart { return $_[0]->again('restart', 'TERM', $_[0]{master}) }

sub do_crash {
    my ($self) = @_;

    return $self->again('crash', 'KILL', $self->{master}, $self->workers());
}

sub again {
    my ($self, $what, $signal, @pids) = @_;

    $self->workers();
    return 0 if @{$self->{masters}} > 1;

    # nginx has an alert for sockets of a worker that was shutting down when
    # it is told to make haste

    $self->{hasty}{$_} = 1 for grep { title($_) =~ /shutting/ }
        $self->workers();

    Soak::Book::fault($what, 8);
    Soak::Check::restarting();
    $self->{stopped} = 1;
    kill $signal, @pids;

    my $look;

    $look = sub {
        if (grep { alive($_) } @pids) {
            Soak::Loop::after(0.05, $look);
            return;
        }

        $self->start();
        $self->{stopped} = 0;
    };

    $look->();
    return 1;
}

1;
