#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Keys and flags of the ng protocol, in each way that clients spell them, and
# what the helper makes of them.

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
my $id = 0;

my $web = web_sdp();
(my $ims = ims_sdp()) =~ s/192\.0\.2\.9/127.0.0.1/g;
(my $muxed = $ims) =~ s/(a=ptime)/a=rtcp-mux\r\n$1/;

# which side speaks: every spelling of the same

for (
    [ 'a list', direction => [qw/ web ims /] ],
    [ 'upper case', DIRECTION => [qw/ WEB IMS /] ],
    [ 'the other name alone', direction => [qw/ any ims /] ],
    [ 'interfaces', 'from interface' => 'web' ],
    [ 'interfaces, the other one', 'to-interface' => 'ims' ],
    [ 'a profile', transport_protocol => 'rtp/avp' ],
    [ 'ICE', ice => 'Remove' ],
    [ 'a flag of ICE', flags => ['ICE-remove'] ],
    [ 'one string', 'rtpp-flags' => 'replace-origin RTP/AVP ICE=remove' ],
    [ 'one string, direction', rtpp_flags => 'direction=web direction=ims' ],
    [ 'one string, a list', 'rtpp flags' => ' direction=[web ims] ' ],
    [ 'one string, words', rtpp_flags => 'RTP AVP' ],
) {
    my ($name, @keys) = @$_;
    like(offer(new_call(), $web, @keys)->{sdp}, qr/^m=audio \d+ RTP\/AVP 0/m,
        "from a browser: $name");
    is(offer(new_call(), $ims, @keys)->{result}, 'error',
        "which nothing of the IMS can be: $name");
}

for (
    [ 'a list', direction => [qw/ ims web /] ],
    [ 'WebRTC', flags => ['WebRTC'] ],
    [ 'WebRTC, small letters', flags => ['webrtc'] ],
    [ 'WebRTC, one string', 'rtpp-flags' => 'trust-address WebRTC' ],
    [ 'words', rtpp_flags => 'DTLS SRTP AVPF' ],
    [ 'a profile', 'Transport-Protocol' => 'UDP/TLS/RTP/SAVPF' ],
    [ 'a profile in one string', rtpp_flags => 'UDP/TLS/RTP/SAVPF x=[a b]' ],
) {
    my ($name, @keys) = @$_;
    my $sdp = offer(new_call(), $ims, @keys)->{sdp};
    like($sdp, qr/^m=audio \d+ UDP\/TLS\/RTP\/SAVPF /m, "from the IMS: $name");
    is(offer(new_call(), $web, @keys)->{result}, 'error',
        "which nothing of a browser can be: $name");

    next unless $name =~ /WebRTC/;

    like($sdp, qr/^a=$_/m, "WebRTC has $_")
        for qw/ ice-ufrag rtcp-mux mid fingerprint:sha-256 setup:actpass /;
    unlike($sdp, qr/^a=(?:rtcp:|crypto)/m, 'WebRTC has no a=rtcp, no SDES');
}

# codecs

my %codec = (
    'strip'         => [ codec => { strip => ['PCMU'] } ],
    'mask'          => [ codec => { mask => ['pcmu/8000'] } ],
    'consume'       => [ Codec => { consume => ['PCMU'] } ],
    'a flag'        => [ flags => ['codec-strip-PCMU'] ],
    'one string'    => [ 'rtpp-flags' => 'codec-strip-PCMU x' ],
    'a dictionary in one string'
        => [ 'rtpp-flags' => 'codec=[strip=[PCMU] accept=[opus]] fast' ],
    'all but one'   => [ codec => { strip => ['all'], except => ['PCMA'] } ],
    'all, offer'    => [ codec => { strip => ['all'],
        offer => [qw/ PCMA telephone-event /] } ],
);

for my $name (sort keys %codec) {
    my $sdp = offer(new_call(), $web, direction => [qw/ web ims /],
        @{$codec{$name}})->{sdp};
    like($sdp, qr/PCMA/, "codec: $name leaves others");
    unlike($sdp, qr/PCMU/, "codec: $name");
}

unlike(offer(new_call(), $web, direction => [qw/ web ims /],
    codec => { strip => ['telephone-event/8000'] })->{sdp},
    qr/telephone-event/, 'codec: a clock that fits');
like(offer(new_call(), $web, direction => [qw/ web ims /],
    codec => { strip => ['telephone-event/48000'] })->{sdp},
    qr/telephone-event/, 'codec: a clock that does not');

my $r = offer(new_call(), $web, direction => [qw/ web ims /],
    codec => { transcode => ['opus'] });
is($r->{result}, 'ok', 'transcoding is no error');
like($r->{warning}, qr/transcod/i, 'but told');

$r = offer(new_call(), $web, 'DTLS-fingerprint' => 'sha-1');
like($r->{warning}, qr/SHA-256/, 'the fingerprint stays SHA-256');

my $call = new_call();
offer($call, $web, direction => [qw/ web ims /]);
(my $both = $ims) =~ s/ 8 126/ 8 0 126/;
$r = answer($call, $both, flags => ['single codec']);
like($r->{sdp}, qr/^m=audio \d+ \S+ 8 126\r$/m, 'single-codec: one and tones');

# addresses

like(offer(new_call(), $web, direction => [qw/ web ims /],
    'media-address' => '198.51.100.7')->{sdp}, qr/^c=IN IP4 198\.51\.100\.7/m,
    'media-address');
like(offer(new_call(), $web, direction => [qw/ web ims /],
    'media address' => "1.2.3.4\r\na=x")->{warning}, qr/no address/,
    'which must be one');

$call = new_call();
offer($call, $web, direction => [qw/ web ims /]);
answer($call, $ims, 'received-from' => [qw/ IP4 127.0.0.9 /]);
is(endpoint($call), '127.0.0.1', 'the address of the description is trusted');
answer($call, $ims, 'received-from' => [qw/ IP4 127.0.0.9 /],
    flags => ['SIP-source-address']);
is(endpoint($call), '127.0.0.9', 'SIP-source-address: that of the message');
answer($call, $ims, 'received from' => '127.0.0.8',
    flags => ['sip_source_address', 'trust-address']);
is(endpoint($call), '127.0.0.1', 'trust-address: the description again');

# RTCP

like(offer(new_call(), $web, 'transport-protocol' => 'RTP/AVP',
    flags => ['full-rtcp-attribute'])->{sdp},
    qr/^a=rtcp:\d+ IN IP4 127\.0\.0\.1\r$/m, 'full-rtcp-attribute');

$call = new_call();
my $sdp = offer($call, $web, 'transport-protocol' => 'RTP/AVP')->{sdp};
unlike($sdp, qr/^a=rtcp-mux/m, 'no rtcp-mux to the IMS unless asked for');

for ('rtcp-mux', 'rtcp_mux', 'RTCP mux') {
    $call = new_call();
    $sdp = offer($call, $web, 'transport-protocol' => 'RTP/AVP',
        $_ => ['offer'])->{sdp};
    like($sdp, qr/^a=rtcp-mux\r$/m, "$_: offered");
}

is(answer($call, $muxed)->{result}, 'ok', 'and taken');
is(rtcp_port($call), 40500, 'one port for both');
is(answer($call, $ims)->{result}, 'ok', 'or not taken');
is(rtcp_port($call), 40501, 'then there are two');

$call = new_call();
offer($call, $muxed, direction => [qw/ ims web /]);
like(answer($call, web_answer())->{sdp}, qr/^a=rtcp-mux\r$/m,
    'a peer that muxes may');

$call = new_call();
offer($call, $muxed, direction => [qw/ ims web /], flags => ['rtcp-mux-reject']);
unlike(answer($call, web_answer())->{sdp}, qr/^a=rtcp-mux/m, 'or may not');

# DTLS

for ([ 'DTLS' => undef, 'passive' ], [ 'DTLS' => 'active', 'active' ],
    [ dtls => 'Active', 'active' ], [ 'DTLS' => 'off', 'passive' ],
    [ 'rtpp-flags' => 'DTLS=active', 'active' ])
{
    my ($key, $value, $role) = @$_;
    $call = new_call();
    offer($call, $web, direction => [qw/ web ims /]);
    like(answer($call, $ims, defined $value ? ($key => $value) : ())->{sdp},
        qr/^a=setup:$role\r$/m, "$key " . ($value // 'missing'));
}

$call = new_call();
offer($call, $web, direction => [qw/ web ims /], 'DTLS-reverse' => 'active');
like(answer($call, $ims)->{sdp}, qr/^a=setup:active\r$/m, 'DTLS-reverse');

# trickle ICE

$r = ng('offer', 'call-id' => $call, 'from-tag' => 'A', flags => ['fragment'],
    sdp => "a=ice-ufrag:Br0w\r\na=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 "
        . "4000 typ host\r\n");
is_deeply($r, { result => 'ok' }, 'a fragment has no description in return');
is(ng('offer', 'call-id' => 'nobody', 'from-tag' => 'A', sdp => "a=mid:0\r\n",
    'rtpp-flags' => 'fragment')->{'error-reason'}, 'Unknown call-id',
    'a fragment of no call');

# what has been here already

$sdp = offer(new_call(), $ims, direction => [qw/ ims web /],
    flags => ['loop-protect'])->{sdp};
my $before = scalar @{ng('list', limit => 1000)->{calls}};
is(offer(new_call(), $sdp, flags => ['loop protect'])->{sdp}, $sdp,
    'loop-protect: our own description comes back as it is');
is(scalar @{ng('list', limit => 1000)->{calls}}, $before, 'without a call');

# labels

$call = new_call();
offer($call, $web, direction => [qw/ web ims /], label => 'mary');
answer($call, $ims, 'rtpp-flags' => 'label=bob');
$r = ng('query', 'call-id' => $call);
is($r->{tags}{A}{label}, 'mary', 'the label of who offers');
is($r->{tags}{B}{label}, 'bob', 'of who answers');

is_deeply([ keys %{ng('query', 'call-id' => $call, 'from-tag' => 'B')->{tags}} ],
    ['B'], 'query by a tag');

# tags in one string

$call = new_call();
offer($call, $web, direction => [qw/ web ims /]);
answer($call, $ims);
ng('delete', 'call-id' => $call, 'from-tag' => 'A',
    'rtpp-flags' => 'to-tag=other');
is(ng('query', 'call-id' => $call)->{result}, 'ok', 'to-tag= counts');
ng('delete', 'call-id' => $call, 'from-tag' => 'A', 'to-tag' => 'other');
is(ng('query', 'call-id' => $call)->{result}, 'error', 'the key alone not');

# a delete that waits

$call = new_call();
offer($call, $web, direction => [qw/ web ims /]);
$r = ng('delete', 'call-id' => $call, 'from-tag' => 'A', 'delete delay' => 60);
is($r->{result}, 'ok', 'delete-delay');
ok(exists $r->{totals}, 'with its figures');
is(ng('query', 'call-id' => $call)->{result}, 'ok', 'leaves the call');
$r = ng('delete', 'call-id' => $call, delete_delay => 0);
is($r->{warning}, undef, 'once more');
is(ng('query', 'call-id' => $call)->{result}, 'error', 'ends it at once');

$call = new_call();
offer($call, $web, direction => [qw/ web ims /], 'delete-delay' => 60);
ng('delete', 'call-id' => $call);
is(ng('query', 'call-id' => $call)->{result}, 'ok', 'delete-delay of an offer');

$call = new_call();
offer($call, $web, direction => [qw/ web ims /]);
my $other = new_call();
offer($other, $web, direction => [qw/ web ims /]);
ng('delete', 'call-id' => $_, 'delete-delay' => 1) for $call, $other;
offer($call, $web, direction => [qw/ web ims /]);
ok(gone($other), 'a delayed delete is done');
is(ng('query', 'call-id' => $call)->{result}, 'ok', 'but an offer revokes it');

# what is blocked

$call = new_call();
offer($call, $web, direction => [qw/ web ims /], label => 'mary');
answer($call, $ims);

for my $command ('block media', 'unblock media', 'silence media',
    'unsilence media', 'block DTMF', 'unblock-dtmf')
{
    is(ng($command, 'call-id' => $call)->{result}, 'ok', $command);
    is(ng($command, 'call-id' => $call, 'from-tag' => 'B')->{result}, 'ok',
        "$command by tag");
    is(ng($command, 'call-id' => $call, label => 'mary')->{result}, 'ok',
        "$command by label");
}

is(ng('block media', 'call-id' => $call, 'from-tag' => 'x')->{result}, 'error',
    'no such tag');
is(ng('block media', 'call-id' => 'nobody')->{'error-reason'},
    'Unknown call-id', 'no such call');

# tones

my %play = ('call-id' => $call, 'from-tag' => 'A', code => 5);
is(ng('play DTMF', %play)->{result}, 'ok', 'play DTMF');
is(ng('play DTMF', %play, code => $_)->{result}, 'ok', "code $_")
    for 0, 9, '*', '#', 'a', 'D', 10, 15;
is(ng('play DTMF', %play, code => $_)->{'error-reason'},
    "Out of range 'code' specified", "not $_") for 'E', '16', '1#', '';
is(ng('play-dtmf', %play)->{result}, 'ok', 'by another spelling');
delete $play{code};
is(ng('play DTMF', %play, digit => '#', volume => -70, duration => 1e6,
    pause => 1)->{result}, 'ok', 'digit, with what is out of range');
is(ng('play DTMF', %play, 'from-tag' => '', code => 1)->{'error-reason'},
    'No participant party specified', 'of nobody');
is(ng('play DTMF', 'call-id' => $call, label => 'mary', code => 1)->{result},
    'ok', 'by label');
is(ng('play DTMF', 'call-id' => $call, flags => ['all'], code => 1)->{result},
    'ok', 'of both');
is(ng('play DTMF', %play, 'from-tag' => 'x', code => 1)->{'error-reason'},
    'From-tag given, but no such tag exists', 'of no such tag');
is((grep { ng('play DTMF', %play, code => 1)->{result} eq 'error' } 1 .. 40) > 5,
    1, 'too many at once');

# of both or of neither

$call = new_call();
offer($call, $web, direction => [qw/ web ims /]);
answer($call, $ims);
%play = ('call-id' => $call, code => 1);
is(tones('A'), 32, 'as many tones of one as can wait');
is(ng('play DTMF', %play, flags => ['all'])->{'error-reason'},
    'Too many DTMF events are waiting', 'then no more of both')
    for 1 .. 2;
is(tones('B'), 32, 'and none of those was left with the other');
is(ng('play DTMF', 'call-id' => 'nobody', code => 1)->{'error-reason'},
    'Unknown call-id', 'play DTMF: no such call');

$call = new_call();
offer($call, $web, direction => [qw/ web ims /]);
like(ng('play DTMF', 'call-id' => $call, 'from-tag' => 'A', code => 1)
    ->{'error-reason'}, qr/^There is no sink media/, 'before the answer');
answer($call, $ims =~ s/ 8 126/ 8/r);
like(ng('play DTMF', 'call-id' => $call, 'from-tag' => 'A', code => 1)
    ->{'error-reason'}, qr/^There is no sink media/, 'to who has none');

# what is not there

is(ng($_, 'call-id' => $call)->{'error-reason'}, 'Unrecognized command', $_)
    for 'play media', 'start recording', 'publish', 'subscribe request';

# what is not known does no harm

$r = offer(new_call(), $web, direction => [qw/ web ims /], 'x-new' => 'y',
    another => [ 1, [ 2 ], { a => [] } ], TOS => 184, 'T.38' => ['force'],
    flags => [ 'no-such', '', 'codec-strip-', 'record-call' ],
    'rtpp-flags' => '[[ ]= a=[b=[c d] e = f=[ codec=[strip=[opus]',
    supports => ['load limit'], bundle => ['accept'], 'ICE-lite' => 'both',
    replace => [qw/ origin SDP-version zero-address /]);
is($r->{result}, 'ok', 'unknown keys and flags');

stop();

# too many calls

$server = IMS::Helper->new($helper, '-m', 1);
is(offer(new_call(), $web)->{result}, 'ok', 'the one call');
is(offer(new_call(), $web)->{'error-reason'}, 'Parallel session limit reached',
    'one too many');
$r = offer(new_call(), $web, supports => ['load limit']);
is($r->{result}, 'load limit', 'for a client that knows this result');
is($r->{message}, 'Parallel session limit reached', 'and its message');
stop();

done_testing();

###############################################################################

sub new_call { return 'call-' . $id++ }

# of so many as can wait

sub tones {
    my ($tag) = @_;
    return scalar grep { ng('play DTMF', %play, 'from-tag' => $tag)->{result}
        eq 'ok' } 1 .. 40;
}

sub offer {
    my ($call, $sdp, @keys) = @_;
    return ng('offer', 'call-id' => $call, 'from-tag' => 'A', sdp => $sdp,
        @keys);
}

sub answer {
    my ($call, $sdp, @keys) = @_;
    return ng('answer', 'call-id' => $call, 'from-tag' => 'A',
        'to-tag' => 'B', sdp => $sdp, @keys);
}

sub web_answer {
    (my $sdp = web_sdp(setup => 'active')) =~ s/ 111 0 8 126/ 8 126/;
    return $sdp;
}

sub streams {
    my ($call) = @_;
    my $leg = (grep { $_->{medias}[0]{protocol} eq 'RTP/AVP' }
        values %{ng('query', 'call-id' => $call)->{tags}})[0];
    return $leg->{medias}[0]{streams};
}

sub endpoint { return streams(@_)->[0]{endpoint}{address} }

sub rtcp_port { return streams(@_)->[1]{endpoint}{port} }

sub gone {
    my ($call) = @_;
    my $end = time() + 30;

    while (time() < $end) {
        return 1 if ng('query', 'call-id' => $call)->{result} eq 'error';
        select undef, undef, undef, 0.1;
    }

    return 0;
}

sub ng { return $server->ng(@_) }

sub stop {
    my ($status, $log) = $server->stop();
    is($status, 0, 'a clean end');
    unlike($log, qr/Sanitizer|runtime error/, 'no sanitizer errors');
}

###############################################################################
