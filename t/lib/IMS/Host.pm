package IMS::Host;

# Copyright (C) the IMS portal authors

# Another nginx beside that of Test::Nginx, as on another host: its files are
# in the same folder under its own name.

use warnings;
use strict;

use Cwd ();
use IMS::Loop;
use POSIX qw/ WNOHANG /;
use Test::Nginx ();

# t: the Test::Nginx; name; text: of its configuration, as for
# write_file_expand()

sub new {
    my ($class, $t, $name, $text) = @_;

    my $self = bless { t => $t, name => $name, dir => $t->testdir(),
        owner => $$ }, $class;

    $self->conf($text);

    return $self->start();
}

sub conf {
    my ($self, $text) = @_;
    my ($t, $dir, $name) = @$self{qw/ t dir name /};

    $t->write_file_expand("$name.conf", $text);

    $text = $t->read_file("$name.conf");
    $text =~ s!\Q$dir\E/(nginx\.pid|error\.log|access\.log)!$dir/$name.$1!g;
    $text =~ s!\Q$dir\E/(\w+_temp)!$dir/$name.$1!g;

    $t->write_file("$name.conf", $text);
}

sub start {
    my ($self) = @_;
    my $nginx = Cwd::abs_path($Test::Nginx::NGINX);
    my $dir = $self->{dir};

    $self->{pid} = fork();
    die "can't fork: $!\n" unless defined $self->{pid};

    if ($self->{pid} == 0) {
        exec $nginx, '-p', "$dir/", '-c', "$self->{name}.conf", '-e',
            "$self->{name}.error.log" or POSIX::_exit(1);
    }

    for (1 .. 500) {
        return $self if -s "$dir/$self->{name}.nginx.pid";
        die "can't start $self->{name}\n"
            if waitpid($self->{pid}, WNOHANG) != 0;
        select undef, undef, undef, 0.02;
    }

    die "can't start $self->{name}\n";
}

sub log { return $_[0]->{t}->read_file("$_[0]->{name}.error.log") // '' }

sub alerts {
    return join "\n", grep { /\[alert\]|\w+Sanitizer|runtime error:/ }
        split /\n/, $_[0]->log();
}

sub stop {
    my ($self, $signal) = @_;

    return unless $self->{pid};

    my @workers = split ' ', `ps -o pid= --ppid $self->{pid}`;

    kill $signal || 'TERM', $self->{pid};
    kill 'KILL', @workers if ($signal || '') eq 'KILL';
    waitpid $self->{pid}, 0;

    unlink "$self->{dir}/$self->{name}.nginx.pid";
    delete $self->{pid};
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $!);

    $self->stop() if $self->{owner} == $$;
}

1;
