#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The same ng requests to the media helper and to rtpengine: what the two say
# must mean the same.  Where the helper does otherwise on purpose, the table
# below says so, and the test holds it to that.

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use File::Temp qw/ tempdir /;
use IO::Select;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw/ time /;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use IMS::Meaning qw/ meaning /;
use IMS::NG;
use IMS::SDP qw/ web_sdp ims_sdp /;

my $top = abs_path(dirname(__FILE__) . '/../..');
my $helper = $ENV{MEDIA_HELPER} || "$top/media-helper/media-helper";
my $dir = tempdir('same-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $number = 0;

my %server = (helper => {}, rtpengine => {});

END { kill 'TERM', map { $_->{pid} || () } values %server }

start('helper', sub {
    my ($ng) = @_;

    return ($helper, '-d', '-c', "udp:127.0.0.1:$ng",
        '-w', '127.0.0.1:' . free_port(), '-i', '127.0.0.1',
        '-p', '31000-31999');
});

start('rtpengine', sub {
    my ($ng) = @_;

    return qw/ rtpengine -f --config-file=none --table=-1 -E
        --interface=web\/127.0.0.1 --interface=ims\/127.0.0.1
        --port-min=32000 --port-max=32999 --delete-delay=0 /,
        "--listen-ng=127.0.0.1:$ng";
});

# what drivers of a WebRTC edge send

my %to_ims = ('transport-protocol' => 'RTP/AVP', ICE => 'remove',
    DTLS => 'off', SDES => [ 'off' ], 'rtcp-mux' => [ 'demux' ],
    replace => [ 'origin' ], direction => [qw/ web ims /],
    flags => [ 'trust-address' ], codec => { strip => [ 'opus' ] });
my %to_web = ('transport-protocol' => 'UDP/TLS/RTP/SAVPF', ICE => 'force',
    DTLS => 'passive', SDES => [ 'off' ],
    'rtcp-mux' => [qw/ offer require /], replace => [ 'origin' ],
    direction => [qw/ ims web /], flags => [qw/ trust-address generate-mid /]);

my ($web, $ims) = (web_sdp(), ims_sdp());
s/192\.0\.2\.9/127.0.0.1/g for $ims;

# a browser calls

both('browser calls', 'offer', { 'from-tag' => 'A', sdp => $web, %to_ims });
both('it is answered', 'answer', { 'from-tag' => 'A', 'to-tag' => 'B',
    sdp => $ims, %to_web });

# the same again: not a letter may differ

repeated('offer', { 'from-tag' => 'A', sdp => $web, %to_ims });
repeated('answer', { 'from-tag' => 'A', 'to-tag' => 'B', sdp => $ims,
    %to_web });

# hold by the browser, by the other side, and resumed

for ([ sendonly => 'recvonly' ], [ inactive => 'inactive' ],
    [ sendrecv => 'sendrecv' ])
{
    both("hold: $_->[0]", 'offer', { 'from-tag' => 'A',
        sdp => web_sdp(direction => $_->[0], version => 3), %to_ims });
    both("hold: $_->[0], answered", 'answer', { 'from-tag' => 'A',
        'to-tag' => 'B', sdp => $ims =~ s/sendrecv/$_->[1]/r, %to_web });

    both("held: $_->[0]", 'offer', { 'from-tag' => 'B', 'to-tag' => 'A',
        sdp => $ims =~ s/sendrecv/$_->[0]/r, %to_web });
    both("held: $_->[0], answered", 'answer', { 'from-tag' => 'B',
        'to-tag' => 'A', sdp => web_sdp(setup => 'active', version => 3,
            direction => $_->[1]), %to_ims });
}

# what proxies read of a query and of a delete

my %fields = map { $_ => ask($_, 'query', {}) } keys %server;
has_fields($fields{$_}, "query: $_") for sort keys %fields;

my %gone = map { $_ => ask($_, 'delete', { 'from-tag' => 'A' }) }
    keys %server;
has_fields($gone{$_}, "delete: $_") for sort keys %gone;

# the IMS calls

$number++;
both('the IMS calls', 'offer', { 'from-tag' => 'A', sdp => $ims, %to_web });
both('the browser answers', 'answer', { 'from-tag' => 'A', 'to-tag' => 'B',
    sdp => web_sdp(setup => 'active'), %to_ims });
ask($_, 'delete', { 'from-tag' => 'A' }) for keys %server;

# audio and video in a bundle; the far end takes the audio only

$number++;
my $video = join '', map { "$_\r\n" } 'm=video 9 UDP/TLS/RTP/SAVPF 102',
    'c=IN IP4 0.0.0.0', 'a=mid:1', 'a=rtcp-mux', 'a=ice-ufrag:Br0w',
    'a=ice-pwd:0123456789abcdefghijklmn', 'a=ice-options:trickle',
    'a=fingerprint:sha-256 ' . join(':', ('A7') x 32), 'a=setup:actpass',
    'a=rtpmap:102 H264/90000',
    'a=fmtp:102 packetization-mode=1;profile-level-id=42e01f', 'a=sendrecv';
my $refused = "m=video 0 RTP/AVP 102\r\n";
my $taken = "m=video 40600 RTP/AVP 102\r\na=rtpmap:102 H264/90000\r\n"
    . "a=fmtp:102 packetization-mode=1;profile-level-id=42e01f\r\n";

both('video', 'offer', { 'from-tag' => 'A', %to_ims,
    sdp => ($web =~ s/BUNDLE 0/BUNDLE 0 1/r) . $video });
both('video refused', 'answer', { 'from-tag' => 'A', 'to-tag' => 'B',
    sdp => $ims . $refused, %to_web });
both('video taken', 'answer', { 'from-tag' => 'A', 'to-tag' => 'B',
    sdp => $ims . $taken, %to_web });
ask($_, 'delete', { 'from-tag' => 'A' }) for keys %server;

# rtcp-mux insisted on: taken, and declined

for my $mux (1, 0) {
    $number++;
    my %mine = both('rtcp-mux required', 'offer', { 'from-tag' => 'A',
        sdp => $web, %to_ims, 'rtcp-mux' => [qw/ require accept /] });

    is(($mine{$_} =~ /^a=rtcp:(\d+)/m)[0], ($mine{$_} =~ /^m=\w+ (\d+)/m)[0],
        "rtcp-mux required: no other port: $_") for sort keys %mine;

    both('rtcp-mux required: ' . ($mux ? 'taken' : 'declined'), 'answer',
        { 'from-tag' => 'A', 'to-tag' => 'B', %to_web,
            sdp => $mux ? $ims . "a=rtcp-mux\r\n" : $ims });
    ask($_, 'delete', { 'from-tag' => 'A' }) for keys %server;
}

# errors: the very words, because proxies look at them

$number++;

for (
    [ 'no such call', 'answer', { 'from-tag' => 'A', 'to-tag' => 'B',
        sdp => $ims } ],
    [ 'no such call', 'query', {} ],
    [ 'no such call, fatal', 'delete', { 'from-tag' => 'A',
        flags => [ 'fatal' ] } ],
    [ 'no from-tag', 'offer', { sdp => $web } ],
    [ 'no SDP', 'offer', { 'from-tag' => 'A' } ],
    [ 'no SDP', 'answer', { 'from-tag' => 'A', 'to-tag' => 'B' } ],
    [ 'no to-tag', 'answer', { 'from-tag' => 'A', sdp => $ims } ],
    [ 'no such command', 'frobnicate', {} ],
) {
    my ($name, $command, $keys) = @$_;
    my %r = map { $_ => ask($_, $command, $keys) } keys %server;

    is($r{$_}{result}, 'error', "$command: $name: error of $_")
        for sort keys %r;
    is($r{helper}{'error-reason'}, $r{rtpengine}{'error-reason'},
        "$command: $name: same words");
}

my %r = map { $_ => ask($_, 'delete', { 'from-tag' => 'A' }) } keys %server;
is($r{helper}{result}, 'ok', 'delete: unknown');
is($r{helper}{$_}, $r{rtpengine}{$_}, "delete: unknown: $_")
    for qw/ result warning /;

%r = map { $_ => ask($_, 'list', {}) } keys %server;
is_deeply($r{$_}{calls}, [], "list: nothing is left at $_") for sort keys %r;

done_testing();

###############################################################################

# asks both; the meanings of the SDPs must be the same

sub both {
    my ($name, $command, $keys) = @_;
    my %r = map { $_ => ask($_, $command, $keys) } keys %server;
    my %m;

    for (sort keys %r) {
        is($r{$_}{result}, 'ok', "$name: $_")
            or diag(explain($r{$_}));
        $m{$_} = defined $r{$_}{sdp} ? meaning($r{$_}{sdp}) : {};
    }

    differences($_) for map { @{$_->{media} || []} } $m{rtpengine};

    is_deeply($m{helper}, $m{rtpengine}, "$name: same meaning")
        or diag("helper:\n$r{helper}{sdp}\nrtpengine:\n$r{rtpengine}{sdp}");

    return map { $_ => $r{$_}{sdp} // '' } keys %r;
}

# What the helper does otherwise: MIDs and bundles are the browser's side's alone
# (SD-1, SD-9), and the IMS is always told how long packets are.

sub differences {
    my ($m) = @_;

    return if $m->{refused};

    my $web = $m->{proto} =~ /SAVPF/;

    $m->{mid} = $m->{bundled} = $web ? 1 : 0;
    $m->{ptime} ||= 20 if $m->{kind} eq 'audio';
}

sub repeated {
    my ($command, $keys) = @_;

    for (sort keys %server) {
        my @r = map { ask($_, $command, $keys)->{sdp} } $_, $_;
        is($r[1], $r[0], "the same $command again: $_");
    }
}

# "last packet" only where there was one: rtpengine tells a time before that, too

sub has_fields {
    my ($r, $name) = @_;
    my ($tag) = $r->{tags} ? grep { $_->{tag} eq 'B' } values %{$r->{tags}}
        : ();
    my $media = $tag ? $tag->{medias}[0] : {};
    my $stream = $media->{streams} ? $media->{streams}[0] : {};

    is($r->{result}, 'ok', $name);
    ok(exists $r->{$_}, "$name: $_")
        for 'created', 'created_us', 'last signal', 'tags', 'totals', 'SSRC';
    ok(exists $tag->{$_}, "$name: tag: $_") for 'tag', 'created', 'medias';
    ok(exists $media->{$_}, "$name: media: $_")
        for 'index', 'type', 'protocol', 'streams', 'flags';
    ok(exists $stream->{$_}, "$name: stream: $_")
        for 'local port', 'endpoint', 'advertised endpoint', 'flags', 'stats';
    ok(exists $stream->{endpoint}{$_}, "$name: endpoint: $_")
        for qw/ family address port /;
    ok(exists $stream->{stats}{$_}, "$name: stats: $_")
        for qw/ packets bytes errors /;
    ok(exists $r->{totals}{$_}{packets}, "$name: totals: $_")
        for qw/ RTP RTCP /;
}

sub ask {
    my ($who, $command, $keys) = @_;
    my $cookie = "$$" . '_' . ++$server{$who}{cookie};
    my $bytes = "$cookie " . IMS::NG::encode({ command => $command,
        'call-id' => "same-$number", %$keys });

    for (1 .. 5) {
        $server{$who}{socket}->send($bytes);
        IO::Select->new($server{$who}{socket})->can_read(2) or next;
        $server{$who}{socket}->recv(my $reply, 65536);
        next unless defined $reply
            && substr($reply, 0, length($cookie) + 1) eq "$cookie ";
        return (IMS::NG::decode($reply, length($cookie) + 1))[0];
    }

    return { result => "no answer of $who" };
}

sub start {
    my ($who, $command) = @_;
    my $ng = free_port();
    my $pid = fork();

    die "fork: $!" unless defined $pid;

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$dir/$who.log";
        open STDERR, '>&', \*STDOUT;
        exec $command->($ng) or die "exec: $!";
    }

    $server{$who}{pid} = $pid;
    $server{$who}{socket} = IO::Socket::INET->new(Proto => 'udp',
        PeerAddr => '127.0.0.1', PeerPort => $ng) or die "socket: $!";

    my $end = time() + 20;

    while (time() < $end) {
        $server{$who}{socket}->send("up d7:command4:pinge");

        if (IO::Select->new($server{$who}{socket})->can_read(0.2)) {
            $server{$who}{socket}->recv(my $pong, 4096);
            return if defined $pong && $pong =~ /pong/;
            select undef, undef, undef, 0.1;
        }
    }

    BAIL_OUT("no $who");
}

sub free_port {
    my $s = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1',
        LocalPort => 0) or die "socket: $!";
    return $s->sockport();
}

###############################################################################
