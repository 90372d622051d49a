package IMS::Keys;

# Copyright (C) the IMS portal authors

# A web server in a process of its own that publishes keys: what it answers at
# a path can be changed, and how often a path was asked for can be seen. Both
# are in files, so that it need not be talked to.

use warnings;
use strict;

use IO::Select;
use IO::Socket::INET;
use Test::Nginx ();

# port: of 127.0.0.1

sub new {
    my ($class, $t, $port) = @_;

    my $self = bless { t => $t, dir => $t->testdir(), n => 0 }, $class;

    my $listen = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$port",
        Proto => 'tcp', Listen => 64, ReuseAddr => 1)
        or die "can't listen: $!\n";

    $t->run_daemon(sub { $self->serve($listen) });
    close $listen;

    return $self;
}

sub file {
    my ($self, $path, $kind) = @_;

    (my $name = $path) =~ s![^a-z0-9]!_!g;

    return "$self->{dir}/keys$name.$kind";
}

# what it answers: status, body, header lines

sub answer {
    my ($self, $path, $status, $body, @headers) = @_;
    my $file = $self->file($path, 'answer');

    open my $fh, '>', "$file.new" or die "can't create $file: $!\n";
    print $fh join("\r\n", "$status Answer", @headers), "\n$body";
    close $fh;
    rename "$file.new", $file or die "can't rename $file: $!\n";
}

# seconds until it answers

sub slow {
    my ($self, $path, $seconds) = @_;

    open my $fh, '>', $self->file($path, 'slow') or die "can't create: $!\n";
    print $fh $seconds;
    close $fh;
}

sub slurp {
    my ($file) = @_;

    open my $fh, '<', $file or return '';
    local $/;

    return scalar <$fh>;
}

# the heads of all requests for a path, and how many there were

sub head { return slurp($_[0]->file($_[1], 'asked')) }

sub asked { return scalar(() = $_[0]->head($_[1]) =~ /^GET /mg) }

sub serve {
    my ($self, $listen) = @_;

    local $SIG{PIPE} = 'IGNORE';
    local $SIG{CHLD} = 'IGNORE';

    while (my $s = $listen->accept()) {
        my $head = '';

        while ($head !~ /\r\n\r\n/) {
            IO::Select->new($s)->can_read(5) or last;
            sysread($s, $head, 4096, length $head) or last;
        }

        my ($path) = $head =~ /^GET ([^ ?]+)/ or next;

        open my $fh, '>>', $self->file($path, 'asked') or die "asked: $!\n";
        syswrite($fh, $head);
        close $fh;

        my ($top, $body) = split /(?<!\r)\n/,
            slurp($self->file($path, 'answer')), 2;
        my $reply = 'HTTP/1.1 ' . ($top || '404 Not Found') . "\r\n"
            . "Content-Type: application/json\r\nConnection: close\r\n"
            . 'Content-Length: ' . length($body // '') . "\r\n\r\n"
            . ($body // '');
        my $slow = slurp($self->file($path, 'slow'));

        # others are answered meanwhile

        if ($slow && fork()) {
            next;
        }

        select undef, undef, undef, $slow if $slow;
        my $n = 0;
        while ($n < length $reply) {
            my $w = syswrite($s, $reply, 65536, $n) or last;
            $n += $w;
        }
        exit 0 if $slow;
    }
}

1;
