#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Keys and flags of the ng protocol that change what a call goes on with:
# rtcp-mux that is insisted on, versions, bundles, restarts, keys.

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use Socket qw/ inet_aton pack_sockaddr_in /;
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use IMS::Helper;
use IMS::SDP qw/ web_sdp ims_sdp /;

my $top = abs_path(dirname(__FILE__) . '/../..');
my $helper = $ENV{MEDIA_HELPER} || "$top/media-helper/media-helper";

plan(skip_all => "$helper is not built") unless -x $helper;

my $server = IMS::Helper->new($helper);
my ($call, $id) = ('', 0);

my $web = web_sdp();
my $ims = ims_sdp() =~ s/192\.0\.2\.9/127.0.0.1/gr;
my $muxed = $ims =~ s/(a=ptime)/a=rtcp-mux\r\n$1/r;

# rtcp-mux: an offer that insists names no other port, a peer may decline (SD-8)

new_call();
my $sdp = up('offer', $web, 'rtcp-mux' => ['require']);
like($sdp, qr/^a=rtcp-mux\r$/m, 'require: rtcp-mux is offered');
is(($sdp =~ /^a=rtcp:(\d+)\r$/m)[0], port($sdp), 'and no port for RTCP alone');
is(up('offer', $web, 'rtcp-mux' => ['require']), $sdp, 'once more: the same');
down('answer', $muxed);
is(rtcp_port(), 40500, 'require, taken: one port for both');
$sdp = up('offer', $web);
is(($sdp =~ /^a=rtcp:(\d+)\r$/m)[0], port($sdp), 'which later offers keep');

new_call();
up('offer', $web, 'rtcp-mux' => ['require']);
down('answer', $ims);
is(rtcp_port(), 40501, 'require, declined: RTCP goes where the peer has it');
$sdp = down('offer', $ims, reverse_tags());
$sdp = up('answer', web_answer(), reverse_tags());
unlike($sdp, qr/^a=rtcp/m, 'an answer of ours then has two ports again');

new_call();
$sdp = up('offer', $web, 'rtcp-mux' => ['offer'],
    flags => ['full-rtcp-attribute']);
is(($sdp =~ /^a=rtcp:(\d+) IN IP4 127\.0\.0\.1\r$/m)[0], port($sdp) + 1,
    'offer: there is a port to fall back to');

# a version of its own for each description

new_call();
$sdp = up('offer', $web);
is(version(up('offer', $web)), version($sdp), 'the same is the same version');
is(version(up('offer', $web, replace => ['force-increment-sdp-ver'])),
    version($sdp) + 1, 'replace force-increment-sdp-ver');
is(version(up('offer', $web, flags => ['replace-force_increment SDP ver'])),
    version($sdp) + 2, 'as a flag');
is(up('offer', $web, replace => [qw/ origin SDP-version username
    session-name zero-address /]), up('offer', $web),
    'all else that replace asks for is always so');

# bundles: what a browser may take out of it, and what not

my $video = $ims . "m=video 40600 RTP/AVP 102\r\na=rtpmap:102 H264/90000\r\n"
    . "a=fmtp:102 packetization-mode=1;profile-level-id=42e01f\r\n";

new_call();
$sdp = down('offer', $video);
is(count($sdp, 'ice-ufrag'), 2, 'either m-line could go alone');
$sdp = down('offer', $video, bundle => [qw/ accept require /]);
is(count($sdp, 'ice-ufrag'), 1, 'bundle require: one transport');
is(count($sdp, 'bundle-only'), 1, 'its second m-line only there');
is_deeply([ $sdp =~ /^m=\w+ (\d+)/mg ], [ (port($sdp)) x 2 ], 'on one port');
like($sdp, qr/^a=group:BUNDLE 0 1\r$/m, 'and in the group');
$sdp = down('offer', $video, flags => ['bundle-strict']);
is_deeply([ map { $_ > 0 ? 1 : 0 } $sdp =~ /^m=\w+ (\d+)/mg ], [ 1, 0 ],
    'bundle strict: with port 0');
my $both = web_video(setup => 'active');
unlike(up('answer', $both), qr/^m=video 0/m, 'it is answered');
$sdp = down('offer', $video, flags => ['bundle-strict']);
unlike($sdp, qr/^a=bundle-only|^m=video 0/m, 'then it is there for good');

new_call();
like($server->ng('offer', 'call-id' => $call, 'from-tag' => 'A', sdp => $ims,
    'ICE-lite' => 'off')->{warning}, qr/lite/, 'no full ICE agent');
like(down('offer', $ims, 'ICE-lite' => $_), qr/^a=ice-lite\r$/m,
    "ICE-lite $_") for qw/ forward backward both /;

# reset: somebody else is at the far end now

new_call();
up('offer', $web, 'rtcp-mux' => ['offer']);
my $ufrag = ufrag(down('answer', $muxed));
like(up('offer', $web), qr/^a=rtcp-mux\r$/m, 'rtcp-mux is kept');
$sdp = up('offer', $web, flags => ['reset']);
unlike($sdp, qr/^a=rtcp/m, 'reset: it is forgotten');
is(ufrag(down('answer', $ims)), $ufrag, 'the browser sees no change');

new_call();
$ufrag = ufrag(down('offer', $ims));
is(ufrag(down('offer', $ims, flags => ['reset'])), $ufrag,
    'reset: nothing to forget before an answer');
up('answer', web_answer());
is(ufrag(down('offer', $ims)), $ufrag, 'an offer keeps ICE as it is');
$sdp = down('offer', $ims, flags => ['reset']);
isnt(ufrag($sdp), $ufrag, 'reset: ICE restarts');
is(down('offer', $ims, flags => ['reset']), $sdp, 'once');
up('answer', web_answer(ufrag => 'N3wer'));
is(ufrag(down('offer', $ims)), ufrag($sdp), 'and stays');

new_call();
$ufrag = ufrag(down('offer', $ims));
up('answer', web_answer());
down('offer', $ims, flags => ['reset']);
up('offer', $web, reverse_tags());
is(ufrag(down('answer', $ims, reverse_tags())), $ufrag,
    'but not if that offer was rejected');

# a phone that is elsewhere than it said: learned, kept, and forgotten (P23)

my ($here, $there) = map { IO::Socket::INET->new(Proto => 'udp',
    LocalAddr => '127.0.0.1') or die "socket: $!" } 1, 2;
my $speech = pack('CCnNN', 0x80, 8, 1, 160, 7) . 'x' x 160;

new_call();
my $to = port(up('offer', $web));
down('answer', $ims, flags => ['symmetric']);
ok(learns($here), 'symmetric: the first packet tells where it is');
down('answer', $ims, flags => ['symmetric']);
is(rtp_port(), $here->sockport(), 'the answer once more changes nothing');
up('offer', $web);
down('answer', $ims, flags => ['symmetric']);
is(rtp_port(), $here->sockport(), 'nor does an offer');
up('offer', $web, flags => ['reset']);
down('answer', $ims, flags => ['symmetric']);
is(rtp_port(), 40500, 'reset: it is where it says');
ok(learns($there), 'until it is heard from elsewhere');

# the same address again, and who may be heard besides it has changed

my $phone = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1')
    or die "socket: $!";
my $named = $ims =~ s/40500/$phone->sockport()/er;

for my $was ('symmetric', 'media-handover') {
    new_call();
    $to = port(up('offer', $web));
    down('answer', $named, flags => [$was]);
    up('offer', $web);
    down('answer', $named, 'endpoint-learning' => 'off');
    speak($here) for 1 .. 3;
    speak($phone);
    ok(heard(1), "$was, then off: it is heard where it says");
    is(rtp_port(), $phone->sockport(), 'and nowhere else');
    up('offer', $web);
    down('answer', $named, flags => [$was]);
    ok(learns($here), "$was once more: elsewhere, too");
}

new_call();
$to = port(up('offer', $web));
down('answer', $ims, flags => ['symmetric']);
ok(learns($here), 'symmetric: it is elsewhere');
down('answer', $ims, 'endpoint-learning' => 'off');
is(rtp_port(), $here->sockport(), 'off: what was learned stays');
down('answer', $ims, flags => ['symmetric']);
speak($there) for 1 .. 3;
my $count = stream(0)->{stats}{packets};
speak($here);
ok(heard($count + 1), 'and is heard');
is(rtp_port(), $here->sockport(), 'symmetric once more: still there');

new_call();
$to = port(up('offer', $web));
down('answer', $ims, flags => ['media-handover']);
ok(learns($_), 'media-handover: it moves') for $here, $there;
up('offer', $web);
down('answer', $ims);
is(rtp_port(), $there->sockport(), 'without the flag it stays there');
my $packets = stream(0)->{stats}{packets};
speak($here) for 1 .. 3;
speak($there);
ok(heard($packets + 1), 'where it is heard');
is(rtp_port(), $there->sockport(), 'and moves no more');

# tls-id (SD-6)

new_call();
$named = $web =~ s/(a=setup:actpass\r\n)/$1a=tls-id:abcdefghijklmnopqrst\r\n/r;
up('offer', $web);
unlike(down('answer', $ims), qr/tls-id/, 'no tls-id, and none in the answer');
new_call();
up('offer', $named);
my $tls_id = tls_id(down('answer', $ims));
like($tls_id, qr/^[0-9a-f]{32}$/, 'tls-id: is answered');
is(tls_id(down('answer', $ims)), $tls_id, 'once more: the same');
up('offer', $named);
is(tls_id(down('answer', $ims)), $tls_id, 'and in the next answer');
is(tls_id(down('offer', $ims, reverse_tags())), $tls_id, 'and offer');
up('answer', $named =~ s/actpass/active/r =~ s/ 111 0 8 126/ 8 126/r,
    reverse_tags());
up('offer', $named =~ s/tls-id:ab/tls-id:x/r);
isnt(tls_id($sdp = down('answer', $ims)), $tls_id,
    'another tls-id gets another one');
is(down('answer', $ims), $sdp, 'but not twice');
up('offer', $web);
unlike(down('answer', $ims), qr/tls-id/, 'none is no other');
is(tls_id(down('offer', $ims, reverse_tags())), tls_id($sdp), 'it stays');
new_call();
unlike(down('offer', $ims, flags => ['no-tls-id']), qr/tls-id/, 'no-tls-id');

# what is empty was not said

new_call();
my @empty = map { $_ => '' } 'transport-protocol', 'media-address', 'TOS',
    'DTLS-fingerprint', 'endpoint-learning', 'transcode', 'label', 'ICE',
    'address-family', 'delete-delay', 'via-branch', 'received-from';
is_deeply([ sort keys %{$server->ng('offer', 'call-id' => $call,
    'from-tag' => 'A', 'to-tag' => '', sdp => $web,
    direction => [qw/ web ims /], @empty)} ], [qw/ result sdp /],
    'keys without a value have no effect, and bring no warning');

new_call();
send $server->{sock}, 'json ' . JSON::PP::encode_json({ command => 'offer',
    'call-id' => $call, 'from-tag' => 'A', sdp => $web,
    direction => [qw/ web ims /], map { $_ => undef } keys %{{@empty}} }), 0;
my $reply = '';
while ($reply !~ /\}\z/ && IO::Select->new($server->{sock})->can_read(20)) {
    recv $server->{sock}, my $part, 65536, 0;
    last if $part eq '';
    $reply .= $part;
}
is_deeply([ sort keys %{JSON::PP::decode_json(substr $reply, 5)} ],
    [qw/ result sdp /], 'nor do those that are null');

my ($status, $log) = $server->stop();
is($status, 0, 'a clean end');
unlike($log, qr/Sanitizer|runtime error/, 'no sanitizer errors');

done_testing();

###############################################################################

sub new_call { return $call = 'call-' . $id++ }

# a description of the browser's goes up, one of the IMS's down

sub up {
    my ($command, $sdp, @keys) = @_;
    return told($command, $sdp, direction => [qw/ web ims /],
        'transport-protocol' => 'RTP/AVP', @keys);
}

sub down {
    my ($command, $sdp, @keys) = @_;
    return told($command, $sdp, direction => [qw/ ims web /],
        'transport-protocol' => 'UDP/TLS/RTP/SAVPF', @keys);
}

sub told {
    my ($command, $sdp, @keys) = @_;
    my $r = $server->ng($command, 'call-id' => $call, 'from-tag' => 'A',
        $command eq 'answer' ? ('to-tag' => 'B') : (), sdp => $sdp, @keys);
    return $r->{sdp} // "$command: $r->{'error-reason'}";
}

sub reverse_tags { return ('from-tag' => 'B', 'to-tag' => 'A') }

sub web_answer {
    return web_sdp(setup => 'passive', @_) =~ s/ 111 0 8 126/ 8 126/r;
}

# the answer of a browser that takes audio and video

sub web_video {
    return web_sdp(@_) =~ s/BUNDLE 0/BUNDLE 0 1/r =~ s/ 111 0 8 126/ 8 126/r
        . "m=video 9 UDP/TLS/RTP/SAVPF 102\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\n"
        . "a=rtcp-mux\r\na=rtpmap:102 H264/90000\r\na=fmtp:102 "
        . "packetization-mode=1;profile-level-id=42e01f\r\n";
}

sub count { my ($sdp, $name) = @_; return scalar(() = $sdp =~ /^a=$name/mg) }

sub version { return ($_[0] =~ /^o=\S+ \S+ (\d+)/m)[0] }

sub tls_id { return ($_[0] =~ /^a=tls-id:(\S+)/m)[0] }

sub ufrag { return ($_[0] =~ /^a=ice-ufrag:(\S+)/m)[0] }

sub port { return ($_[0] =~ /^m=\w+ (\d+)/m)[0] }

sub stream {
    my ($i) = @_;
    my $r = $server->ng('query', 'call-id' => $call);
    return $r->{tags}{B}{medias}[0]{streams}[$i];
}

sub rtp_port { return stream(0)->{endpoint}{port} }

sub rtcp_port { return stream(1)->{endpoint}{port} }

sub speak {
    my ($from) = @_;
    $from->send($speech, 0, pack_sockaddr_in($to, inet_aton('127.0.0.1')));
}

# speaks until that is where the phone is

sub learns {
    my ($from) = @_;
    my $end = time() + 30;

    while (time() < $end) {
        speak($from);
        return 1 if rtp_port() == $from->sockport();
        select undef, undef, undef, 0.1;
    }

    return 0;
}

# waits until so many packets have come

sub heard {
    my ($n) = @_;
    my $end = time() + 30;

    while (time() < $end) {
        return 1 if stream(0)->{stats}{packets} >= $n;
        select undef, undef, undef, 0.1;
    }

    return 0;
}

###############################################################################
