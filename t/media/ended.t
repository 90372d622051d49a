#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Calls that end without the proxy's doing, and the ping that tells of them.

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use File::Temp qw/ tempdir /;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Socket;
use Test::More;
use Time::HiRes qw/ sleep time /;

use lib abs_path(dirname(__FILE__) . '/../lib');

use IMS::NG;
use IMS::SDP qw/ web_sdp ims_sdp /;

my $top = abs_path(dirname(__FILE__) . '/../..');
my $helper = $ENV{MEDIA_HELPER} || "$top/media-helper/media-helper";
my $dir = tempdir('ended-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $wait = 30;
my $cookie = 0;
my ($pid, $sock);

(my $ims = ims_sdp()) =~ s/192\.0\.2\.9/127.0.0.1/g;

start();

my $r = ping();
is_deeply([keys %$r], [qw/ result /], 'nobody asked');

$r = ping('ended since' => 0);
is_deeply([@$r{qw/ ended seq lost /}, scalar @{$r->{ended}}],
    [[], undef, undef, 0], 'nothing yet') or diag explain $r;
is($r->{'ended seq'}, 0, 'number of the last');

# never answered

offer('a');
my @told = until_told(0, 1);
is_deeply(\@told, [[a => 'no answer']], 'an offer that is not answered');

# no browser ever comes

offer('b');
answer('b');

@told = until_told(1, 1);
is_deeply(\@told, [[b => 'media lost']], 'no consent');

my $web = ng('query', 'call-id' => 'b')->{web};
is($web && $web->{'media lost'}, 1, 'the call is there');

@told = until_told(2, 1);
is_deeply(\@told, [[b => 'no media']], 'no media at all');
is(ng('query', 'call-id' => 'b')->{result}, 'error', 'it is removed');

# who asks decides what he is told

is(scalar @{ping('ended since' => 0)->{ended}}, 3, 'all of it again');
is(ping('ended since' => 0)->{lost}, undef, 'none is missing');

$r = ping('ended since' => 3);
is_deeply([scalar @{$r->{ended}}, $r->{'ended seq'}, $r->{lost}],
    [0, 3, undef], 'nothing new');

$r = ping('ended since' => 77);
is_deeply([scalar @{$r->{ended}}, $r->{'ended seq'}, $r->{lost}],
    [3, 3, 1], 'a number of another process');

# deleted: that is the proxy's doing

offer('c');
ng('delete', 'call-id' => 'c');

# more than one reply holds, and more than are remembered

my $batch = 220;

for my $n (0 .. 5) {
    offer("d$n-$_") for 1 .. $batch;

    my $end = time() + $wait;
    sleep 0.2 while @{ng('list')->{calls}} && time() < $end;
}

my ($seq, $parts, $max, %seen) = (3, 0, 0);

while (1) {
    $r = ping('ended since' => $seq);
    my $n = @{$r->{ended}};
    last unless $n;

    $parts++;
    $max = $n if $n > $max;
    $seen{$_->{'call-id'}}++ for @{$r->{ended}};
    $seq = $r->{'ended seq'};
}

is($max, 64, 'so many in a reply');
is($parts, 16, 'and so many replies');
is(scalar keys %seen, 1024, 'the last ones, once each');
ok($seen{"d5-$batch"} && !$seen{'d0-1'} && !$seen{c}, 'no others');
is($seq, 3 + 6 * $batch, 'all have a number');
is(ping('ended since' => 3)->{lost}, 1, 'who asks too late is told so');
is(ping('ended since' => 3 + 6 * $batch - 1024)->{lost}, undef,
    'who does not is not');

kill TERM => $pid;
waitpid $pid, 0;
is($?, 0, 'a clean end');

my $log = do { local (@ARGV, $/) = "$dir/log"; <> };
unlike($log, qr/Sanitizer|runtime error/, 'no sanitizer errors');

done_testing();

###############################################################################

sub start {
    my $s = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1')
        or die "socket: $!\n";
    my $port = $s->sockport();
    close $s;

    $pid = fork();
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open STDERR, '>', "$dir/log";
        exec $helper, '-d', '-c', "unix:$dir/s", '-w', "127.0.0.1:$port",
            qw/ -i 127.0.0.1 -p 28300-28899 -e 1 -o 1 -t 5 /;
        die "exec: $!\n";
    }

    for (1 .. 200) {
        last if $sock = IO::Socket::UNIX->new(Peer => "$dir/s");
        sleep 0.05;
    }

    die "no control socket\n" unless $sock;
}

sub ng {
    my ($command, @keys) = @_;
    my $id = 'n_' . $cookie++;
    my $bytes = '';

    syswrite $sock, "$id " . IMS::NG::encode({ command => $command, @keys });

    while (IO::Select->new($sock)->can_read($wait)) {
        sysread $sock, $bytes, 65536, length $bytes or last;
        my ($value) = IMS::NG::decode($bytes, length($id) + 1);
        return $value if $value;
    }

    die "no reply\n";
}

sub ping { return ng('ping', @_) }

sub offer {
    my ($id) = @_;

    my $r = ng('offer', 'call-id' => $id, 'from-tag' => 'A', sdp => web_sdp(),
        direction => [qw/ web ims /]);
    die "$r->{'error-reason'}\n" if $r->{result} ne 'ok';
}

sub answer {
    my ($id) = @_;

    my $r = ng('answer', 'call-id' => $id, 'from-tag' => 'A',
        'to-tag' => 'B', sdp => $ims, direction => [qw/ ims web /]);
    die "$r->{'error-reason'}\n" if $r->{result} ne 'ok';
}

# what a ping tells behind that number, as soon as it tells so much

sub until_told {
    my ($since, $n) = @_;
    my $end = time() + $wait;
    my $r;

    do {
        sleep 0.05;
        $r = ping('ended since' => $since);
    } while (@{$r->{ended}} < $n && time() < $end);

    return map { [ @$_{qw/ call-id reason /} ] } @{$r->{ended}};
}
