package IMS::Daemon;

# Copyright (C) the IMS portal authors

# nginx as a service manager has it: in the background, so that it can be
# upgraded, and killed in every way; it may be started again on the same files.

use warnings;
use strict;

use Cwd ();
use IMS::Loop;
use Test::Nginx ();

# t: the Test::Nginx, whose run() is not used

sub new {
    my ($class, $t) = @_;

    return bless { dir => $t->testdir(), owner => $$, masters => {} }, $class;
}

# Starts it; what it said when it would not, else "".

sub start {
    my ($self) = @_;
    my $nginx = Cwd::abs_path($Test::Nginx::NGINX);

    unlink "$self->{dir}/nginx.pid";

    my $said = `$nginx -p $self->{dir}/ -c nginx.conf -e error.log \\
        -g 'daemon on;' 2>&1`;

    return $said || 'exit ' . ($? >> 8) if $?;

    IMS::Loop::wait_for(sub { $self->master() }, 5) or return 'no pid';
    IMS::Loop::wait_for(sub { $self->workers() }, 5) or return 'no workers';

    return '';
}

# the text of a configuration, for the background

sub conf { return $_[1] =~ s/^daemon off;\n//mr }

sub pid_in {
    my ($self, $name) = @_;

    open my $f, '<', "$self->{dir}/$name" or return 0;
    my $pid = (<$f> // '') + 0;

    $self->{masters}{$pid} = 1 if $pid;

    return $pid;
}

sub master { return $_[0]->pid_in('nginx.pid') }
sub old { return $_[0]->pid_in('nginx.pid.oldbin') }

# of one master, the present one by default

sub workers {
    my ($self, $master) = @_;

    $master = $self->master() unless defined $master;

    return grep { !$self->{masters}{$_} && is_worker($_) }
        split ' ', `ps -o pid= --ppid $master`;
}

sub is_worker { return `ps -o args= -p $_[0]` =~ /worker process/ }

# USR2; the pids of the old and the new master, or none

sub upgrade {
    my ($self) = @_;
    my $old = $self->master();

    kill 'USR2', $old;

    return unless IMS::Loop::wait_for(sub {
        my $new = $self->master();
        return $new && $new != $old && $self->old() == $old
            && $self->workers($new);
    }, 10);

    return ($old, $self->master());
}

# until all these processes are gone

sub gone {
    my ($self, $seconds, @pids) = @_;

    return IMS::Loop::wait_for(sub { !grep { runs($_) } @pids }, $seconds);
}

sub runs { return `ps -o stat= -p $_[0]` =~ /^[^Z]/ }

# a signal to the master, and until it and its workers are gone; KILL hits all

sub end {
    my ($self, $signal, $seconds) = @_;
    my $master = $self->master();
    my @workers = $self->workers($master);

    kill $signal, $master, $signal eq 'KILL' ? @workers : ();

    return $self->gone($seconds || 10, $master, @workers);
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $!);

    return if $self->{owner} != $$;

    $self->master();
    $self->old();

    for my $master (keys %{$self->{masters}}) {
        my @workers = $self->workers($master);

        kill 'TERM', $master;
        kill 'KILL', $master, @workers
            unless $self->gone(5, $master, @workers);
    }
}

1;
