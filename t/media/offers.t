#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Offers and answers in the order in which calls really have them: repeated,
# held, forked, crossing, rejected, with m-lines that come and go.

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use IMS::Helper;
use IMS::SDP qw/ web_sdp ims_sdp /;

my $top = abs_path(dirname(__FILE__) . '/../..');
my $helper = $ENV{MEDIA_HELPER} || "$top/media-helper/media-helper";

plan(skip_all => "$helper is not built") unless -x $helper;

my $server = IMS::Helper->new($helper);
my ($call, $id, $others) = ('', 0, 0);

my $web = web_sdp();
my $ims = here(ims_sdp());

# the same again (SD-4)

$call = new_call();
my $to_ims = up('offer', $web);
is(up('offer', $web), $to_ims, 'an offer once more: the same');
is(up('offer', web_sdp(version => 3)), $to_ims, 'with another version, too');

my $to_web = down('answer', $ims);
is(down('answer', $ims), $to_web, 'an answer once more: the same');
is(down('answer', here(ims_sdp(version => 9))), $to_web,
    'the 200 after the 183, with another version');

is(up('offer', $web), $to_ims, 'the offer after the answer');
is(down('answer', $ims), $to_web, 'and its answer');

up('offer', web_sdp(direction => 'sendonly'));
my $held = down('answer', here(ims_sdp(direction => 'recvonly')));
like($held, qr/^a=recvonly\r$/m, 'hold');
is(version($held), version($to_web) + 1, 'is a new version');
is(up('offer', web_sdp(direction => 'sendonly')),
    up('offer', web_sdp(direction => 'sendonly')), 'hold once more');

my $again = up('offer', $web);
is(plain($again), plain($to_ims), 'resumed: as it was');
is(plain(down('answer', $ims)), plain($to_web), 'and so is the answer');
is(up('offer', $web), $again, 'and once more');

# the other side offers

my $other = down('offer', $ims, reverse_tags());
is(plain($other, 'codecs'), plain($to_web, 'codecs'),
    'what the other side offers has the same transport');
like($other, qr/^a=setup:actpass\r$/m, 'and leaves the role open');
is(down('offer', $ims, reverse_tags()), $other, 'once more: the same');
my $back = up('answer', web_answer(), reverse_tags());
is(up('answer', web_answer(), reverse_tags()), $back, 'its answer, too');
is(port($back), port($to_ims), 'and the port stays');

# an offer that is rejected upstream, then another one

$call = new_call();
$to_ims = up('offer', $web);
$to_web = down('answer', $ims);
up('offer', video($web));
is(plain(up('offer', $web)), plain($to_ims), 'after a rejected offer');
is(plain(down('answer', $ims)), plain($to_web), 'the call is as before');

up('offer', video($web));
is(endpoint('B'), '127.0.0.1:40500', 'a rejected offer moves nothing');
down('offer', here(ims_sdp(port => 40700)), reverse_tags());
is(endpoint('B'), '127.0.0.1:40500', 'of neither side');

# both sides offer at once; one gets a 491 and tries again

$call = new_call();
up('offer', $web);
down('answer', $ims);
up('offer', $web);
down('offer', $ims, reverse_tags());
is($server->ng('answer', 'call-id' => $call, 'from-tag' => 'A',
    'to-tag' => 'B', sdp => $ims)->{'error-reason'},
    'Invalid dialogue association', 'glare: the later offer counts');
like(up('answer', web_answer(), reverse_tags()), qr/^m=audio [1-9]/m,
    'and is answered');
up('offer', $web);
like(down('answer', $ims), qr/^m=audio [1-9]/m, 'then the other one');

# forks: each early answer points the IMS side elsewhere, the browser sees one

$call = new_call();
up('offer', $web, 'via-branch' => 'b1');
up('offer', $web, 'via-branch' => 'b2');
$to_web = down('answer', here(ims_sdp(port => 41000)), 'to-tag' => 'B1',
    'via-branch' => 'b1');
is(endpoint('B1'), '127.0.0.1:41000', 'an early answer');
is(down('answer', here(ims_sdp(port => 42000)), 'to-tag' => 'B2',
    'via-branch' => 'b2'), $to_web, 'another one: the browser sees no change');
is(endpoint('B2'), '127.0.0.1:42000', 'but media goes there');
is(down('answer', here(ims_sdp(port => 41000)), 'to-tag' => 'B1',
    'via-branch' => 'b1'), $to_web, 'the first one answers for good');
is(endpoint('B1'), '127.0.0.1:41000', 'and wins');

# m-lines come and go; order and number stay (SD-10)

$call = new_call();
up('offer', $web);
down('answer', $ims);
$to_ims = up('offer', video($web));
my @ports = ports($to_ims);
is(scalar @ports, 2, 'video is added');
ok($ports[0] && $ports[1], 'with a port of its own');
unlike($to_ims, qr/bundle|a=group|a=mid|extmap|rtx|red\/|ulpfec|ssrc|msid
    |simulcast|a=rid|transport-cc|goog-remb|VP8|candidate/x,
    'and nothing of WebRTC');
like($to_ims, qr/^a=rtpmap:102 H264\/90000\r$/m, 'H.264');
like($to_ims, qr/^b=AS:\d+\r$/m, 'and a bandwidth');

$to_web = down('answer', $ims . video_ims());
is_deeply([ map { $_ ? 1 : 0 } ports($to_web) ], [ 1, 1 ], 'taken');
like($to_web, qr/^a=group:BUNDLE 0 1\r$/m, 'in the bundle');
is(scalar(() = $to_web =~ /^a=end-of-candidates/mg), 1, 'with one transport');

my %ufrags = map { $_ => 1 } $to_web =~ /^a=ice-ufrag:(\S+)/mg;
is(scalar keys %ufrags, 1, 'and its ufrag');

my $off = up('offer', video($web, port => 0));
is((ports($off))[1], 0, 'video is removed');
is((ports(down('answer', $ims . video_ims(0))))[1], 0, 'for both');
is((ports(up('offer', video($web))))[1] > 0, 1, 'and comes back');
$to_web = down('answer', $ims . video_ims());
is_deeply([ map { $_ ? 1 : 0 } ports($to_web) ], [ 1, 1 ], 'for both');

# what had port 0 in the offer is not to be answered with another one; who
# does so gets no further than before

$to_ims = up('offer', video($web), 'sdp-media-remove' => ['video']);
is((ports($to_ims))[1], 0, 'video is kept back');
$to_web = down('answer', $ims . video_ims());
is((ports($to_web))[1], 0, 'and stays so, though it is answered');
unlike($to_web, qr/null|BUNDLE 0 1/, 'the browser gets no half of it');

# an m-line becomes one of another kind (RFC 3264 8.3.3)

$others = pairs();
$call = new_call();
up('offer', video($web));
down('answer', $ims . video_ims());
ok(feedback(), 'video has feedback');
my $audio = $web . $web =~ s/.*(?=m=)//sr =~ s/mid:0/mid:2/r;
$audio =~ s/BUNDLE 0/BUNDLE 0 2/;
up('offer', $audio);
ok(feedback(), 'until an answer has made it audio');
down('answer', $ims . here(ims_sdp(port => 40800)) =~ s/.*(?=m=)//sr);
ok(!feedback(), 'audio has none');
up('offer', video($web));
down('answer', $ims . video_ims());
ok(feedback(), 'and back');

# fewer m-lines than before, though there may not be (RFC 3264 8)

up('offer', $web);
is(pairs() - $others, 2, 'an m-line less: until the answer all stays');
down('answer', $ims);
is(pairs() - $others, 1, 'then its port is closed');

# one port for RTP and RTCP, not of the first m-line

$call = new_call();
up('offer', video($web), 'rtcp-mux' => ['offer']);
down('answer', ($ims =~ s/audio 40500/audio 0/r)
    . (video_ims() =~ s/(a=rtpmap)/a=rtcp-mux\r\n$1/r));
like(up('offer', video($web)), qr/^m=video.*^a=rtcp-mux\r$/ms,
    'rtcp-mux of the second m-line stays');

down('answer', ($ims =~ s/audio 40500/audio 0/r)
    . (video_ims() =~ s/(a=rtpmap)/a=rtcp-mux\r\n$1/r));
up('offer', video($web, port => 0));
down('answer', $ims . (video_ims(0) =~ s/(a=rtpmap)/a=rtcp-mux\r\n$1/r));
down('offer', $ims . (video_ims(0) =~ s/(a=rtpmap)/a=rtcp-mux\r\n$1/r),
    reverse_tags());
up('answer', video(web_answer(), port => 0), reverse_tags());
$to_ims = up('offer', video($web));
unlike($to_ims, qr/rtcp-mux/, 'but not if it was given up in between');
is(up('offer', video($web)), $to_ims, 'once more: the same');

# without media there is still an address

$call = new_call();
up('offer', $web);
down('answer', $ims);
down('offer', $ims =~ s/audio 40500/audio 0/r, reverse_tags());
$back = up('answer', $web =~ s/audio 9/audio 0/r =~ s/^a=group.*\r\n//mr,
    reverse_tags());
like($back, qr/^o=.* IN IP4 127\.0\.0\.1\r$/m, 'all refused');
is(up('answer', $web =~ s/audio 9/audio 0/r =~ s/^a=group.*\r\n//mr,
    reverse_tags()), $back, 'once more: the same');
unlike(up('offer', $web =~ s/audio 9/audio 0/r =~ s/^a=group.*\r\n//mr),
    qr/ 0\.0\.0\.0\r$/m, 'nor is there none in an offer');

# what was not bundled is from now on

my $ext = 'a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid';
my $named = video($web) =~ s/a=extmap:1 \S+/$ext/gr
    =~ s/(a=mid:0\r\n)/$1$ext\r\n/r;
$call = new_call();
up('offer', $named =~ s/^a=group.*\r\n//mr =~ s/(m=video.*)Br0w/$1Oth3r/sr);
is(extmaps(down('answer', $ims . video_ims())), 0, 'two transports');
up('offer', $named);
$to_web = down('answer', $ims . video_ims());
is(extmaps($to_web), 2, 'one: packets are to have a MID');
is(down('answer', $ims . video_ims()), $to_web, 'once more: the same');

# max-bundle: its second line has port 0 and bundle-only (SD-1)

$call = new_call();
$to_ims = up('offer', video($web, bundle_only => 1));
ok((ports($to_ims))[1], 'a bundle-only line gets a real port');
unlike($to_ims, qr/bundle-only/, 'and the IMS does not hear of it');
$to_web = down('answer', $ims . video_ims());
is(scalar(() = ports($to_web)), 2, 'two lines');
is((ports($to_web))[0], (ports($to_web))[1], 'on one port');

# VP8 by policy (SD-14)

$to_ims = up('offer', video($web), codec => { offer => ['VP8'] });
like($to_ims, qr/VP8\/90000/, 'VP8 goes to the IMS if told so');

# an IMS side behind NAT: its message tells where it is

$call = new_call();
down('offer', here(ims_sdp()), 'received-from' => [qw/ IP4 127.0.0.5 /],
    'rtpp-flags' => 'SIP-source-address');
is(endpoint('A'), '127.0.0.5:40500', 'received-from of an offer');
up('answer', web_answer());
is(endpoint('A'), '127.0.0.5:40500', 'still holds with its answer');
is(down('offer', here(ims_sdp())), down('offer', here(ims_sdp())),
    'the offer once more: the same');
up('answer', web_answer());
is(endpoint('A'), '127.0.0.1:40500', 'and without it the description counts');

# one port for RTP and RTCP stays so

$call = new_call();
(my $mux = $ims) =~ s/(a=ptime)/a=rtcp-mux\r\n$1/;
up('offer', $web, 'rtcp-mux' => ['offer']);
down('answer', $mux);
$to_ims = up('offer', $web);
like($to_ims, qr/^a=rtcp-mux\r$/m, 'rtcp-mux stays in later offers');
is(up('offer', $web), $to_ims, 'which are the same once more');

# data channels (SD-18)

$call = new_call();
$to_ims = up('offer', "${web}m=application 9 UDP/DTLS/SCTP "
    . "webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:2\r\n"
    . "a=sctp-port:5000\r\n");
like($to_ims, qr/^m=application 0 /m, 'a data channel goes with port 0');
like(down('answer', "${ims}m=application 0 UDP/DTLS/SCTP "
    . "webrtc-datachannel\r\n"), qr/^m=application 0 .*\r\n.*\r\na=mid:2/m,
    'and is refused so');

# too many lines

$call = new_call();
my $line = "m=audio 0 UDP/TLS/RTP/SAVPF 0\r\n";
is(scalar(() = up('offer', $web . $line x 15) =~ /^m=/mg), 16,
    'sixteen m-lines');
is($server->ng('offer', 'call-id' => $call, 'from-tag' => 'A',
    sdp => $web . $line x 256)->{'error-reason'}, 'Failed to parse SDP',
    'but not 257');

# what a call cannot use is refused alone, and answered so

my $more = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\n"
    . "a=mid:many\r\na=rtcp-mux\r\n";
$to_ims = up('offer', $web . $line x 15 . $more x 2);
is(scalar(() = $to_ims =~ /^m=/mg), 18, 'eighteen m-lines');
is_deeply([ map { $_ ? 1 : 0 } ports($to_ims) ], [ 1, (0) x 17 ],
    'two of them refused, as those that were');
like($to_ims, qr!(?:^m=audio 0 UDP/TLS/RTP/SAVPF 0\r\n){2}\z!m, 'at the end');
my $declined = "m=audio 0 RTP/AVP 0\r\n";
$to_web = down('answer', $ims . $declined x 17);
is(scalar(() = ports($to_web)), 18, 'the answer has as many');
is(scalar(() = $to_web =~ /^m=audio 0 \S+ 0\r\nc=.*\r\na=mid:many\r$/mg), 2,
    'with their mids');
like(down('answer', $ims . $declined x 16), qr/does not match/,
    'but not with fewer');

my $plain = "m=audio 40900 RTP/AVP 8\r\n";
$to_web = down('offer', $ims . $declined x 15 . $plain x 2, reverse_tags());
is_deeply([ map { $_ ? 1 : 0 } ports($to_web) ], [ 1, (0) x 17 ],
    'to a browser, too');
is(scalar(() = $to_web =~ /^a=mid:surplus(?:16|17)\r$/mg), 2, 'with names');

# tones with each clock, comfort noise, ptime (SD-13, P25)

$call = new_call();
(my $full = $web) =~ s/ 111 0 8 126/ 111 0 8 13 110 126/;
$full =~ s/(a=rtpmap:126)/a=rtpmap:110 telephone-event\/48000\r\n$1/;
$full .= "a=rtpmap:13 CN/8000\r\na=ptime:40\r\na=maxptime:60\r\n";
$to_ims = up('offer', $full);
like($to_ims, qr/^m=audio \d+ RTP\/AVP 0 8 13 126\r$/m,
    'tones and comfort noise of the clock that goes to the IMS');
unlike($to_ims, qr/48000/, 'and no others');
like($to_ims, qr/^a=ptime:40\r\na=maxptime:60\r$/m, 'ptime');

$call = new_call();
(my $wide = $ims) =~ s/ 8 126/ 96 8 97 126/;
$wide =~ s/(a=rtpmap:8)/a=rtpmap:96 AMR-WB\/16000\r\na=rtpmap:97 telephone-event\/16000\r\n$1/;
$to_web = down('offer', $wide);
like($to_web, qr/^a=rtpmap:$_\r$/m, "to a browser: $_")
    for '97 telephone-event/16000', '126 telephone-event/8000',
        '96 AMR-WB/16000';

my ($status, $log) = $server->stop();
is($status, 0, 'a clean end');
unlike($log, qr/Sanitizer|runtime error/, 'no sanitizer errors');

done_testing();

###############################################################################

sub new_call { return 'call-' . $id++ }

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

sub here { return $_[0] =~ s/192\.0\.2\.9/127.0.0.1/gr }

sub web_answer {
    return web_sdp(setup => 'passive') =~ s/ 111 0 8 126/ 8 126/r;
}

# what stays the same over re-offers: all but the o= line

sub plain {
    my ($sdp, $transport) = @_;
    $sdp =~ s/^o=.*\r\n//m;
    $sdp = join '', $sdp =~ /^(?:m=\w+ \d+|c=|a=(?:ice|candidate|finger|mid)).*$/mg
        if $transport;
    $sdp =~ s/(m=\w+ \d+) .*/$1/g if $transport;
    return $sdp;
}

sub version { return ($_[0] =~ /^o=\S+ \S+ (\d+)/m)[0] }

sub ports { return $_[0] =~ /^m=\w+ (\d+)/mg }

sub port { return (ports($_[0]))[0] }

sub endpoint {
    my ($tag) = @_;
    my $leg = $server->ng('query', 'call-id' => $call)->{tags}{$tag};
    my $e = $leg->{medias}[0]{streams}[0]{endpoint};
    return "$e->{address}:$e->{port}";
}

# whether the second m-line is one of video to us

sub feedback {
    my $leg = $server->ng('query', 'call-id' => $call)->{tags}{A};
    return defined $leg->{medias}[1]{feedback};
}

sub extmaps { return scalar(() = $_[0] =~ /^a=extmap:4 \S+sdes:mid\r$/mg) }

sub pairs { return $server->ng('statistics')->{statistics}{'port pairs used'} }

sub video {
    my ($sdp, %o) = @_;
    my $port = $o{port} // ($o{bundle_only} ? 0 : 9);

    $sdp =~ s/^a=group:BUNDLE 0/a=group:BUNDLE 0 1/m if $port || $o{bundle_only};

    return $sdp . join '', map { "$_\r\n" }
        "m=video $port UDP/TLS/RTP/SAVPF 96 97 102 103 104 116",
        'c=IN IP4 0.0.0.0', 'a=mid:1', 'a=rtcp-mux', 'a=rtcp-rsize',
        ($o{bundle_only} ? 'a=bundle-only' : ()),
        'a=ice-ufrag:Br0w', 'a=ice-pwd:0123456789abcdefghijklmn',
        'a=fingerprint:sha-256 ' . join(':', ('A7') x 32), 'a=setup:actpass',
        'a=extmap:1 urn:ietf:params:rtp-hdrext:toffset',
        'a=extmap-allow-mixed', 'a=msid:s t', 'a=sendrecv',
        'a=rtpmap:96 VP8/90000', 'a=rtcp-fb:96 goog-remb',
        'a=rtcp-fb:96 transport-cc', 'a=rtpmap:97 rtx/90000',
        'a=fmtp:97 apt=96', 'a=rtpmap:102 H264/90000',
        'a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;'
            . 'profile-level-id=42e01f', 'a=rtcp-fb:102 nack pli',
        'a=rtpmap:103 red/90000', 'a=rtpmap:104 ulpfec/90000',
        'a=rtpmap:116 flexfec-03/90000', 'a=rid:h send', 'a=rid:l send',
        'a=simulcast:send h;l', 'a=ssrc-group:FID 1 2', 'a=ssrc:1 cname:x';
}

sub video_ims {
    my ($port) = (@_, 40800);

    return join '', map { "$_\r\n" } "m=video $port RTP/AVP 102",
        'b=AS:512', 'a=rtpmap:102 H264/90000',
        'a=fmtp:102 profile-level-id=42e00c;packetization-mode=1';
}

###############################################################################
