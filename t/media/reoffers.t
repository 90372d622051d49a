#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# What of a browser's transport changes with a re-offer, and what must not
# (SD-16; RFC 8839 4.4, RFC 8842 4): a table of what the browser changes.

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
my $ims = ims_sdp() =~ s/192\.0\.2\.9/127.0.0.1/gr;
my ($ice, $dtls) = (qr/^a=ice-(?:ufrag|pwd):.*$/m, qr/^a=tls-id:.*$/m);
my $call = 0;

# name, what the browser changes, whether ICE restarts, whether DTLS begins
# anew; its port, certificate and role as well as the IMS's port always stay

for (
    [ 'nothing', sub { $_[0] }, 0, 0 ],
    [ 'the version', sub { $_[0] =~ s/4107 2/4107 3/r }, 0, 0 ],
    [ 'the session', sub { $_[0] =~ s/4107 2/9999 1/r }, 0, 0 ],
    [ 'hold', sub { $_[0] =~ s/sendrecv/sendonly/r }, 0, 0 ],
    [ 'a codec less', sub { $_[0] =~ s/ 111 0 8/ 0 8/r }, 0, 0 ],
    [ 'a candidate', sub { "$_[0]a=candidate:1 1 udp 2113937151 7e.local "
        . "50000 typ host\r\n" }, 0, 0 ],
    [ 'address and port', sub { $_[0] =~ s/audio 9/audio 50000/r
        =~ s/IN IP4 0\.0\.0\.0/IN IP4 192.0.2.1/r }, 0, 0 ],
    [ 'its role, as before', sub { $_[0] =~ s/actpass/active/r }, 0, 0 ],
    [ 'ufrag and password', sub { restart($_[0]) }, 1, 0 ],
    [ 'the certificate', sub { $_[0] =~ s/A7:A7/B8:A7/r }, 0, 1 ],
    [ 'the tls-id', sub { $_[0] =~ s/tls-id:ab/tls-id:xy/r }, 0, 1 ],
    [ 'all of these', sub { restart($_[0]) =~ s/A7:A7/B8:A7/r
        =~ s/tls-id:ab/tls-id:xy/r }, 1, 1 ],
) {
    my ($name, $change, $restart, $anew) = @$_;
    my $web = web_sdp()
        =~ s/(a=setup)/a=tls-id:abcdefghijklmnopqrst\r\n$1/r;

    $call++;
    my $port = port(up($web));
    my $first = down();
    like($first, qr/^a=candidate:.*typ host\r$/m, "$name: a call");
    my $other = $change->($web);

    is(port(up($other)), $port, "$name: the IMS's port stays");
    my $second = down();
    is(join('', $first =~ /$ice/g) ne join('', $second =~ /$ice/g) ? 1 : 0,
        $restart, "$name: " . ($restart ? 'ICE restarts' : 'ICE stays'));
    is(join('', $first =~ /$dtls/g) ne join('', $second =~ /$dtls/g) ? 1 : 0,
        $anew, "$name: " . ($anew ? 'DTLS begins anew' : 'DTLS stays'));
    is(same($second), same($first),
        "$name: address, candidates, certificate and role stay");

    up($other);
    is(down(), $second, "$name, once more: no change");
    $server->ng('delete', 'call-id' => "re-$call");
}

# over hold and back nothing does (P20)

$call++;
my $web = web_sdp();
up($web);
my $was = down() =~ s/^o=.*\r\n//mr;

for (1 .. 3) {
    up($web =~ s/sendrecv/sendonly/r);
    my $held = down($ims =~ s/sendrecv/recvonly/r) =~ s/^o=.*\r\n//mr;
    is($held =~ s/recvonly/sendrecv/r, $was, 'hold: only the direction');
    up($web);
    is(down() =~ s/^o=.*\r\n//mr, $was, 'and back: as it was');
}

is($server->ng('statistics')->{statistics}{'port pairs used'}, 1,
    'one call, one port pair (P29)');

my ($status, $log) = $server->stop();
is($status, 0, 'a clean end');
unlike($log, qr/Sanitizer|runtime error/, 'no sanitizer errors');

done_testing();

###############################################################################

sub restart {
    return $_[0] =~ s/ufrag:\S+/ufrag:N3wer/r
        =~ s/pwd:0123/pwd:9876/r;
}

sub up {
    my ($sdp) = @_;
    my $r = $server->ng('offer', 'call-id' => "re-$call", 'from-tag' => 'A',
        'transport-protocol' => 'RTP/AVP', direction => [qw/ web ims /],
        sdp => $sdp);
    return $r->{sdp} // "offer: $r->{'error-reason'}";
}

sub down {
    my ($sdp) = (@_, $ims);
    my $r = $server->ng('answer', 'call-id' => "re-$call",
        'from-tag' => 'A', 'to-tag' => 'B', direction => [qw/ ims web /],
        'transport-protocol' => 'UDP/TLS/RTP/SAVPF', sdp => $sdp);
    return $r->{sdp} // "answer: $r->{'error-reason'}";
}

sub port { return ($_[0] =~ /^m=audio (\d+) /m)[0] }

sub same {
    my $lines = qr/^(?:m=audio \d+|c=.*|a=(?:candidate|finger|setup|mid).*)/m;
    return join "\n", $_[0] =~ /$lines/g;
}

###############################################################################
