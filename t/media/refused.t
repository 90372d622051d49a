#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Offers and answers that are refused: what was in force stays, and an offer
# that waits for its answer still gets it.

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use IO::Socket::INET;
use Socket qw/ inet_aton pack_sockaddr_in /;
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use IMS::Helper;
use IMS::SDP qw/ web_sdp ims_sdp /;

my $top = abs_path(dirname(__FILE__) . '/../..');
my $helper = $ENV{MEDIA_HELPER} || "$top/media-helper/media-helper";

plan(skip_all => "$helper is not built") unless -x $helper;

# pairs of ports for a call with audio and video, and three more

my $server = IMS::Helper->new($helper, '-p', '28300-28309');
my ($call, $id) = ('', 0);

my $web = web_sdp() =~ s/(a=setup)/a=tls-id:abcdefghijklmnopqrst\r\n$1/r;
my $ims = here(ims_sdp());
my @video = ('m=video 9 UDP/TLS/RTP/SAVPF 102', 'c=IN IP4 0.0.0.0',
    'a=mid:1', 'a=rtcp-mux', 'a=sendrecv', 'a=rtpmap:102 H264/90000',
    'a=fmtp:102 packetization-mode=1;profile-level-id=42e01f');
my $both = $web =~ s/BUNDLE 0/BUNDLE 0 1/r . join '', map { "$_\r\n" } @video;
my $film = "m=video 40800 RTP/AVP 102\r\na=rtpmap:102 H264/90000\r\n"
    . "a=fmtp:102 profile-level-id=42e00c;packetization-mode=1\r\n";
my $nowhere = qr/^Unusable media address$/;

# all of a browser's transport changes with an offer whose answer is no good

my $moved = $both =~ s/tls-id:ab/tls-id:xy/r =~ s/A7:A7/B8:A7/r
    =~ s/Br0w/N3wer/r;

for (
    [ 'an address of none', sub { s/\z/c=IN IP4 255.255.255.255\r\n/ },
        $nowhere ],
    [ 'a name', sub { s/\z/c=IN IP4 phone.example\r\n/ }, $nowhere ],
    [ 'the other family', sub { s/\z/c=IN IP6 ::1\r\n/ }, $nowhere ],
    [ 'another profile', sub { s/40800 RTP\/AVP/40800 RTP\/SAVP/ },
        qr/does not match/ ],
    [ 'another kind', sub { s/m=video/m=text/ }, qr/does not match/ ],
    [ 'an m-line less', sub { s/m=video.*//s }, qr/does not match/ ],
) {
    my ($name, $spoil, $why) = @$_;

    new_call();
    up('offer', $both);
    my $first = down('answer', $ims . $film);
    my @was = ends();
    like($first, qr/^a=tls-id/m, "$name: a call");

    up('offer', $moved, 'rtcp-mux' => ['offer']);
    my $bad = muxed($ims =~ s/40500/40600/r . $film);
    $spoil->() for $bad;
    like(down('answer', $bad), $why, 'its answer is refused');
    is_deeply([ ends() ], \@was, 'the IMS side stays');

    unlike(up('offer', $both), qr/rtcp-mux/, 'nor has it rtcp-mux');
    is(plain(down('answer', $ims . $film)), plain($first),
        'and the browser has the transport of before');

    up('offer', $moved);
    down('answer', $bad);
    my $good = down('answer', $ims . $film);
    isnt(tls_id($good), tls_id($first), 'after a good one it is another');
    up('offer', $moved);
    down('answer', $bad);
    is(down('answer', $ims . $film), $good, 'which a bad one changes no more');
    gone();
}

# SDES: of two m-lines one has no key that fits

new_call();
my $offer = up('offer', $both, OSRTP => ['offer']);
my ($line) = $offer =~ /^(a=crypto:1 .*\r\n)/m;
my $key = $line =~ s/inline:\S+/'inline:' . 'A' x 40/er;
down('answer', $ims . $film);
is(suite(0), '', 'without SDES');
up('offer', $both, OSRTP => ['offer']);
like(down('answer', $ims . $key . $film . ($key =~ s/crypto:1/crypto:9/r)),
    qr/without usable a=crypto/, 'one line of two is no good');
is(suite($_), '', 'neither is SRTP') for 0, 1;
up('offer', $both, OSRTP => ['offer']);
unlike(down('answer', $ims . $key . $film . $key), qr/^answer:/, 'both are');
is(suite($_), 'AES_CM_128_HMAC_SHA1_80', 'SRTP') for 0, 1;
gone();

# later offers repeat how SRTP was agreed on, not how it was offered since

for (
    [ 'RTP/SAVP', 'RTP/SAVP' => [ flags => ['reset'], OSRTP => ['offer'] ] ],
    [ 'RTP/AVP' => 'RTP/AVP', [ 'transport-protocol' => 'RTP/SAVP' ] ],
) {
    my ($agreed, $profile, $other) = @$_;
    my @first = $agreed eq 'RTP/SAVP' ? ('transport-protocol' => $agreed)
        : (OSRTP => ['offer']);

    new_call();
    up('offer', $web, @first);
    like(down('answer', $ims =~ s/RTP\/AVP/$agreed/r . $key), qr/^m=audio/m,
        "SRTP as $agreed");
    up('offer', $web, @$other);
    like(up('offer', $web), qr/^m=audio \d+ \Q$profile\E .*a=crypto/ms,
        'an offer in another way is rejected: it stays so');
    gone();
}

# "reset" holds until it has been answered

my $here = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1')
    or die "socket: $!";

new_call();
my ($to) = up('offer', $web) =~ /^m=audio (\d+)/m;
down('answer', $ims, flags => ['symmetric']);
ok(learns($to), 'symmetric: it is elsewhere');
up('offer', $web, flags => ['reset']);
like(down('answer', "${ims}c=IN IP4 255.255.255.255\r\n"), $nowhere,
    'reset, and a bad answer');
is((ends())[0], '127.0.0.1:' . $here->sockport(), 'nothing is forgotten');
down('answer', $ims, flags => ['symmetric']);
is((ends())[0], '127.0.0.1:40500', 'the good one forgets it');
gone();

# offers that are refused while another one waits for its answer

for (
    [ 'ims', 'a name', sub { s/127\.0\.0\.1/phone.example/g },
        qr/No usable media/ ],
    [ 'ims', 'an address of none', sub { s/127\.0\.0\.1/255.255.255.255/g },
        $nowhere ],
    [ 'ims', 'the other family', sub { s/IP4 127\.0\.0\.1/IP6 ::1/g },
        $nowhere ],
    [ 'ims', 'no codec', sub { s/ 8 126/ 18/ }, qr/No usable media/ ],
    [ 'ims', 'too many ports', sub { $_ .= "m=audio 41000 RTP/AVP 8\r\n" x 9 },
        qr/Ran out of ports/ ],
    [ 'web', 'too many ports', sub { s/(m=audio.*)/$1 . others($1)/es },
        qr/Ran out of ports/ ],
    [ 'web', 'no fingerprint', sub { s/^a=fingerprint.*\r\n//m },
        qr/without DTLS fingerprint/ ],
    [ 'web', 'a short fingerprint', sub { s/A7:A7/A7/ },
        qr/without DTLS fingerprint/ ],
    [ 'web', 'an endless ufrag', sub { s/Br0w/'a' x 300/e }, qr/parse/ ],
) {
    my ($who, $name, $spoil, $why) = @$_;

    new_call();
    up('offer', $both);
    down('answer', $ims . $film);
    my @was = ends();
    my ($ports, $sdp) = (used(), $who eq 'ims' ? $ims : $web);
    my $waits = up('offer', $both =~ s/sendrecv/sendonly/gr);
    $spoil->() for $sdp;

    like($who eq 'ims' ? down('offer', $sdp, 'from-tag' => 'B')
        : up('offer', $sdp), $why, "$who: $name");
    is(used(), $ports, 'no port is lost');

    my $held = down('answer', ($ims . $film) =~ s/(?=m=)/a=recvonly\r\n/r);
    is(scalar(() = $held =~ /^m=\w+ [1-9]/mg), 2, 'the other one is answered');
    like($held, qr/^a=group:BUNDLE 0 1\r$/m, 'as it was made');
    is_deeply([ ends() ], \@was, 'and nothing moved');
    is(up('offer', $both =~ s/sendrecv/sendonly/gr), $waits,
        'the same offer is the same');
    gone();
}

# only a good offer takes a delete back

new_call();
up('offer', $web);
down('answer', $ims);
$server->ng('delete', 'call-id' => $call, 'delete-delay' => 1);
like(down('offer', $ims =~ s/ 8 126/ 18/r, 'from-tag' => 'B'),
    qr/No usable media/, 'an offer after a delete, refused');
my $end = time() + 30;
select undef, undef, undef, 0.1
    while calls() && time() < $end;
is(calls(), 0, 'the call ends all the same');

my ($status, $log) = $server->stop();
is($status, 0, 'a clean end');
unlike($log, qr/Sanitizer|runtime error/, 'no sanitizer errors');

done_testing();

###############################################################################

sub new_call { return $call = 'call-' . $id++ }

sub gone { $server->ng('delete', 'call-id' => $call) }

sub here { return $_[0] =~ s/192\.0\.2\.9/127.0.0.1/gr }

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
    return $r->{sdp} // "$r->{'error-reason'}";
}

sub plain { return $_[0] =~ s/^o=.*\r\n//mr }

sub tls_id { return ($_[0] =~ /^a=tls-id:(\S+)/m)[0] }

sub muxed { return $_[0] =~ s/^(a=rtpmap:(?:8|102) )/a=rtcp-mux\r\n$1/mgr }

sub others { return $_[0] =~ s/a=mid:0/a=mid:more/r x 9 }

# where the IMS side's RTP and RTCP are

sub ends {
    my $leg = $server->ng('query', 'call-id' => $call)->{tags}{B};
    return map { "$_->{endpoint}{address}:$_->{endpoint}{port}" }
        map { @{$_->{streams}} } @{$leg->{medias}};
}

sub suite {
    my ($i) = @_;
    my $leg = $server->ng('query', 'call-id' => $call)->{tags}{B};
    return $leg->{medias}[$i]{streams}[0]{'crypto suite'} // '';
}

sub used { return $server->ng('statistics')->{statistics}{'port pairs used'} }

sub calls { return $server->ng('statistics')->{statistics}{calls} }

# speaks until that is where the phone is

sub learns {
    my ($port) = @_;
    my $end = time() + 30;

    while (time() < $end) {
        $here->send(pack('CCnNN', 0x80, 8, 1, 160, 7) . 'x' x 160, 0,
            pack_sockaddr_in($port, inet_aton('127.0.0.1')));
        return 1 if (ends())[0] eq '127.0.0.1:' . $here->sockport();
        select undef, undef, undef, 0.1;
    }

    return 0;
}

###############################################################################
