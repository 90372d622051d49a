#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Keys and flags of the ng protocol that change what a call goes on with:
# rtcp-mux that is insisted on, versions, bundles, restarts, keys.

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
my ($call, $id) = ('', 0);

my $web = web_sdp();
my $ims = ims_sdp() =~ s/192\.0\.2\.9/127.0.0.1/gr;
my $muxed = $ims =~ s/(a=ptime)/a=rtcp-mux\r\n$1/r;

# rtcp-mux: an offer that insists names no other port, a peer may decline

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

# what is empty was not said

new_call();
my @empty = map { $_ => '' } 'transport-protocol', 'media-address', 'TOS',
    'DTLS-fingerprint', 'endpoint-learning', 'transcode', 'label', 'ICE',
    'address-family', 'delete-delay', 'via-branch', 'received-from';
is_deeply([ sort keys %{$server->ng('offer', 'call-id' => $call,
    'from-tag' => 'A', 'to-tag' => '', sdp => $web,
    direction => [qw/ web ims /], @empty)} ], [qw/ result sdp /],
    'keys without a value have no effect, and bring no warning');

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
    return web_sdp(setup => 'passive') =~ s/ 111 0 8 126/ 8 126/r;
}

sub port { return ($_[0] =~ /^m=\w+ (\d+)/m)[0] }

sub rtcp_port {
    my $r = $server->ng('query', 'call-id' => $call);
    return $r->{tags}{B}{medias}[0]{streams}[1]{endpoint}{port};
}

###############################################################################
