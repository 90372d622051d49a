#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Behind 1:1 NAT browsers are told the addresses of -a, at the port of -w, and
# the IMS its own (ME-16); a candidate of a browser that is a name of mDNS
# alone (RFC 8828 3.1) is no fault (P24).

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use Socket qw/ PF_INET6 SOCK_DGRAM inet_pton AF_INET6 pack_sockaddr_in6 /;
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use IMS::Helper;
use IMS::SDP qw/ web_sdp ims_sdp /;

my $top = abs_path(dirname(__FILE__) . '/../..');
my $helper = $ENV{MEDIA_HELPER} || "$top/media-helper/media-helper";

plan(skip_all => "$helper is not built") unless -x $helper;

my $s;
my $v6 = socket($s, PF_INET6, SOCK_DGRAM, 0)
    && bind($s, pack_sockaddr_in6(0, inet_pton(AF_INET6, '::1')));

my $web = web_sdp() . "a=candidate:1 1 udp 2113937151 "
    . "9b36eaac-bb2e-49bb-bb78-21c41c499900.local 50000 typ host\r\n";
my $ims = ims_sdp() =~ s/192\.0\.2\.9/127.0.0.1/gr;

my @own = ('127.0.0.1', '127.0.0.3', $v6 ? '::1' : ());
my @told = ('198.51.100.7', '127.0.0.3', $v6 ? '2001:db8::7' : ());

# the second address of a family has none outside: browsers get it itself

my $port = IMS::Helper::free_port();
my $server = IMS::Helper->new($helper,
    '-w', join(',', map { /:/ ? "[$_]" : $_ } @own) . ":$port",
    '-a', join(',', grep { !/^127/ } @told));

my $sdp = told('offer', [qw/ web ims /], 'RTP/AVP', $web);
is_deeply([ $sdp =~ /^c=IN IP4 (\S+)\r$/mg ], [ '127.0.0.1' ],
    "the IMS's side has its own address");
like($sdp, qr/^o=.* IN IP4 127\.0\.0\.1\r$/m, 'and no other');
unlike($sdp, qr/local|198\.51|2001:/, 'anywhere');

browser_side('an answer', told('answer', [qw/ ims web /],
    'UDP/TLS/RTP/SAVPF', $ims, 'to-tag' => 'B'));
browser_side('an offer', told('offer', [qw/ ims web /],
    'UDP/TLS/RTP/SAVPF', $ims, 'from-tag' => 'B', 'to-tag' => 'A'));
browser_side('an offer of a new call', told('offer', [qw/ ims web /],
    'UDP/TLS/RTP/SAVPF', $ims, 'call-id' => 'other'));

# whatever family is asked for

$sdp = told('offer', [qw/ ims web /], 'UDP/TLS/RTP/SAVPF', $ims,
    'call-id' => 'third', 'address-family' => 'IP4');
unlike($sdp, qr/127\.0\.0\.1|::1\b/, 'the inner addresses stay inside');

my ($status, $log) = $server->stop();
is($status, 0, 'a clean end');
unlike($log, qr/Sanitizer|runtime error/, 'no sanitizer errors');

done_testing();

###############################################################################

sub told {
    my ($command, $direction, $profile, $sdp, @keys) = @_;
    my $r = $server->ng($command, 'call-id' => 'nat', 'from-tag' => 'A',
        'transport-protocol' => $profile, direction => $direction,
        sdp => $sdp, @keys);
    return $r->{sdp} // "$command: $r->{'error-reason'}";
}

sub browser_side {
    my ($name, $sdp) = @_;

    is_deeply([ $sdp =~ /^a=candidate:\d+ 1 udp \d+ (\S+ \d+) typ host\r$/mg ],
        [ map { "$_ $port" } @told ], "$name: candidates");
    like($sdp, qr/^m=audio $port .*\r\nc=IN IP4 198\.51\.100\.7\r$/m,
        "$name: address and port");
    like($sdp, qr/^o=.* IN IP4 198\.51\.100\.7\r$/m, "$name: origin");
}

###############################################################################
