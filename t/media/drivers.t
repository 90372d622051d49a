#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The helper driven by drachtio's npm client (t/drivers), over UDP and TCP.

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use File::Temp qw/ tempdir /;
use IO::Socket::IP;
use JSON::PP;
use Socket qw/ SOCK_STREAM /;
use Test::More;
use Time::HiRes qw/ sleep /;

use lib abs_path(dirname(__FILE__) . '/../lib');

use IMS::SDP qw/ web_sdp ims_sdp /;

my $top = abs_path(dirname(__FILE__) . '/../..');
my $helper = $ENV{MEDIA_HELPER} || "$top/media-helper/media-helper";
my $drive = "$top/t/drivers/drive.js";
my $dir = tempdir('drivers-XXXXXX', TMPDIR => 1, CLEANUP => 1);

die "npm ci was not run: make -C t/drivers\n"
    unless -d "$top/t/drivers/node_modules/rtpengine-client";

my ($web, $udp, $tcp) = map { free_port() } 1 .. 3;
my $pid = start();

(my $ims = ims_sdp()) =~ s/192\.0\.2\.9/127.0.0.1/g;

open my $fh, '>', "$dir/sdp" or die "$dir/sdp: $!\n";
print $fh encode_json({ web => web_sdp(), ims => $ims });
close $fh;

for my $transport (qw/ udp tcp /) {
    my $port = $transport eq 'udp' ? $udp : $tcp;
    my $out = `node '$drive' $transport 127.0.0.1 $port < '$dir/sdp'`;

    is($?, 0, "$transport: the client runs") or next;

    my @told = @{decode_json($out)};
    my %r = map { $_->[0] => $_->[1] } @told[0 .. 7];

    is($r{ping}{result}, 'pong', 'ping');
    is($r{offer}{result}, 'ok', 'offer');
    like($r{offer}{sdp}, qr/^m=audio \d+ RTP\/AVP /m, 'for the IMS');
    is($r{answer}{result}, 'ok', 'answer');
    like($r{answer}{sdp}, qr/^a=fingerprint:sha-256 /m, 'for the browser');
    is_deeply([sort keys %{$r{query}{tags}}], [qw/ A B /], 'query');
    is_deeply($r{list}{calls}, ["drachtio-$transport"], 'list');
    is($r{statistics}{statistics}{calls}, 1, 'statistics');
    is($r{startRecording}{'error-reason'}, 'Unrecognized command',
        'what is not there');
    is($r{delete}{result}, 'ok', 'delete');
    ok(exists $r{delete}{totals}{RTP}{packets}, 'with totals');
    is($told[8][1]{'error-reason'}, 'Unknown call-id', 'it is gone');
}

kill TERM => $pid;
waitpid $pid, 0;
is($?, 0, 'a clean end');

my $log = do { local (@ARGV, $/) = "$dir/log"; <> };
unlike($log, qr/Sanitizer|runtime error/, 'no sanitizer errors');

done_testing();

###############################################################################

sub start {
    my $p = fork();
    die "fork: $!\n" unless defined $p;

    if ($p == 0) {
        open STDERR, '>', "$dir/log";
        exec $helper, '-d', '-c', "udp:127.0.0.1:$udp", '-c',
            "tcp:127.0.0.1:$tcp", '-w', "127.0.0.1:$web", '-i', '127.0.0.1';
        die "exec: $!";
    }

    for (1 .. 200) {
        return $p if IO::Socket::IP->new(PeerHost => '127.0.0.1',
            PeerPort => $tcp, Type => SOCK_STREAM);
        sleep 0.05;
    }

    die "no control socket\n";
}

sub free_port {
    my $s = IO::Socket::IP->new(Proto => 'udp', LocalHost => '127.0.0.1',
        LocalPort => 0) or die "socket: $!";
    return $s->sockport();
}

###############################################################################
