#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Mary calls by the real core: what happens until the call is up or is not.

use warnings;
use strict;

use File::Basename qw(dirname);
use FindBin;
use Test::More;

use lib dirname(__FILE__);
use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/../lib",
    "$FindBin::Bin/../lib";

use Calls;
use IMS::SDP qw/ web_sdp /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(99);
my $calls = Calls->new($t);
my ($mary, $far) = @$calls{qw/ mary far /};
my ($sent, $seen, $answer, $r);

sub answered {
    my ($name, %o) = @_;

    $answer = $far->respond($seen, 200, 'OK', %o);
    $r = $mary->final('INVITE');
    is($r->{code}, 200, "$name: 200");

    my $call = { web => $mary->dialog($sent, $r, 1),
        far => $far->dialog($seen, $answer, 0) };

    $mary->within($call->{web}, 'ACK', cseq => $sent->cseq());

    my $ack = $far->expect('ACK');

    is($ack->tag('To'), $answer->tag('To'), "$name: ACK");

    return $call;
}

# 183 with media, 180, 200

($sent, $seen) = $calls->invite(name => '183');
like($seen->{body}, qr!^m=audio [34]\d{4} RTP/AVP !m, 'SDP of the helper');
is(scalar(my @v = $seen->all('Route')), 0, 'no Route is left');
$far->respond($seen, 183, 'Session Progress', tag => 'a', sdp => 1);
$r = $mary->expect('183');
like($r->{body}, qr!UDP/TLS/RTP/SAVPF!, '183: early media');
my ($ufrag) = $r->{body} =~ /^a=ice-ufrag:(\S+)\r$/m;
$far->respond($seen, 180, 'Ringing', tag => 'a');
is($mary->expect('180')->tag('To'), 'a', '180: same dialog');
my $call = answered('183', tag => 'a', sdp => 1);
like($r->{body}, qr/^a=ice-ufrag:\Q$ufrag\E\r$/m, '183: same media in 200');
$calls->hang_up('mary', $call, '183');

# reliable 183 for a browser that does not know them: the portal's PRACK

($sent, $seen) = $calls->invite(name => 'reliable',
    headers => [ Supported => 'outbound' ]);
like(join(',', $seen->all('Supported')), qr/100rel/, 'reliable: offered');
$far->respond($seen, 183, 'Session Progress', tag => 'a', sdp => 1,
    reliable => 1);
$r = $far->expect('PRACK');
is($r->h('RAck'), "$far->{rseq} 1 INVITE", 'reliable: PRACK of the portal');
$far->reply($r, 200, 'OK');
$r = $mary->expect('183');
is($r->h('RSeq'), undef, 'reliable: 183 without RSeq');
like($r->{body}, qr/SAVPF/, 'reliable: early media');
$call = answered('reliable', tag => 'a');
like($r->{body}, qr/SAVPF/, 'reliable: SDP in 200, too');
$calls->hang_up('far', $call, 'reliable');

# and for one that does

($sent, $seen) = $calls->invite(name => '100rel',
    headers => [ Supported => '100rel' ]);
$far->respond($seen, 183, 'Session Progress', tag => 'a', sdp => 1,
    reliable => 1);
$r = $mary->expect('183');
is($r->h('RSeq'), $far->{rseq}, '100rel: RSeq');
my $web = $mary->dialog($sent, $r, 1);
$mary->within($web, 'PRACK', headers => [ RAck => $r->h('RSeq')
    . ' 1 INVITE' ]);
$r = $far->expect('PRACK');
is($r->h('RAck'), "$far->{rseq} 1 INVITE", '100rel: PRACK of the browser');
$far->reply($r, 200, 'OK');
is($mary->final('PRACK')->{code}, 200, '100rel: answered');
$call = answered('100rel', tag => 'a');
$call->{web}{cseq} = $web->{cseq};
$calls->hang_up('mary', $call, '100rel');

# three branches: two ring, one with media, the third answers

($sent, $seen) = $calls->invite(name => 'forked');
$far->respond($seen, 180, 'Ringing', tag => 'one');
is($mary->expect('180')->tag('To'), 'one', 'forked: first rings');
$far->respond($seen, 183, 'Session Progress', tag => 'two', sdp => 1);
$r = $mary->expect('183');
is($r->tag('To'), 'one', 'forked: second rings as the first');
like($r->{body}, qr/SAVPF/, 'forked: with media');
$call = answered('forked', tag => 'three', sdp => { port => 52000 });
is($r->tag('To'), 'one', 'forked: third answers as the first');

$mary->within($call->{web}, 'INFO', headers => [
    'Content-Type' => 'application/dtmf-relay' ],
    body => "Signal=5\r\nDuration=160\r\n");
$r = $far->expect('INFO');
is($r->tag('To'), 'three', 'forked: INFO to the third');
is($r->{body}, "Signal=5\r\nDuration=160\r\n", 'forked: a digit');
$far->reply($r, 200, 'OK');
is($mary->final('INFO')->tag('To'), 'one', 'forked: answered');
$calls->hang_up('far', $call, 'forked');

# no SDP in the INVITE: offer in the 200, answer in the ACK

($sent, $seen) = $calls->invite(name => 'late', late => 1);
is($seen->{body}, '', 'late: no SDP');
$answer = $far->respond($seen, 200, 'OK', sdp => 1);
$r = $mary->final('INVITE');
like($r->{body}, qr/SAVPF/, 'late: offer in the 200');
$call = { web => $mary->dialog($sent, $r, 1),
    far => $far->dialog($seen, $answer, 0) };
$mary->within($call->{web}, 'ACK', headers => [ Calls::sdp_headers() ],
    body => web_sdp(setup => 'active'));
like($far->expect('ACK')->{body}, qr!RTP/AVP!, 'late: answer in the ACK');
$calls->hang_up('mary', $call, 'late');

# refused

for my $case ([ 486, 'Busy Here' ], [ 404, 'Not Found' ],
    [ 480, 'Temporarily Unavailable' ], [ 603, 'Decline' ],
    [ 302, 'Moved Temporarily' ], [ 488, 'Not Acceptable Here' ],
    [ 500, 'Server Internal Error' ])
{
    my ($code, $reason) = @$case;

    ($sent, $seen) = $calls->invite(name => $code);
    $far->respond($seen, 180, 'Ringing') if $code == 486;
    $far->reply($seen, $code, $reason, headers => [ $code == 302
        ? (Contact => '<sip:9198@ims.operator.example>') : () ]);
    $r = $mary->final('INVITE');
    is($r->{code}, $code, "$code: as it is");
    $mary->same_hop($sent, 'ACK', $r->h('To'));
    ok($far->expect('ACK'), "$code: ACK");
    $calls->clean($code);
}

$r = $mary->ask('INVITE', to => 'sip:nobody@acme.ims.operator.example',
    headers => [ Calls::sdp_headers() ], body => web_sdp());
is($r->{code}, 404, 'unknown to the HSS');
$r = $mary->ask('INVITE', to => 'sip:u015@acme.ims.operator.example',
    headers => [ Calls::sdp_headers() ], body => web_sdp());
is($r->{code}, 480, 'known, but not there');
$calls->clean('unknown');

# cancelled before it rings, when it rings, when it is answered

for my $ringing (0, 1) {
    my $name = $ringing ? 'CANCEL of ringing' : 'CANCEL at once';

    if ($ringing) {
        ($sent, $seen) = $calls->invite(name => $name);
        $far->respond($seen, 180, 'Ringing');
        ok($mary->expect('180'), "$name: rings");
        $mary->same_hop($sent, 'CANCEL');

    } else {
        $sent = $mary->start('INVITE', to => Calls::number(),
            headers => [ Calls::sdp_headers() ], body => web_sdp());
        $mary->same_hop($sent, 'CANCEL');
        is($mary->final('CANCEL')->{code}, 200, "$name: 200");
        $seen = $far->expect('INVITE', 0.5);
        $far->respond($seen, 180, 'Ringing') if $seen;
    }

    $r = $seen ? $far->expect('CANCEL') : undef;
    ok(!$seen || $r, "$name: at the far end if the INVITE was there");

    if ($r) {
        $far->reply($r, 200, 'OK');
        $far->reply($seen, 487, 'Request Terminated');
    }

    $r = $mary->final('INVITE');
    is($r->{code}, 487, "$name: 487");
    $mary->same_hop($sent, 'ACK', $r->h('To'));
    ok(!$seen || $far->expect('ACK'), "$name: ACK");
    $calls->clean($name);
    $mary->forget();
    $far->forget();
}

($sent, $seen) = $calls->invite(name => 'CANCEL crosses 200');
$far->respond($seen, 180, 'Ringing', tag => 'x');
$mary->expect('180');
$answer = $far->respond($seen, 200, 'OK', tag => 'x', sdp => 1);
$mary->same_hop($sent, 'CANCEL');
is($mary->final('CANCEL')->{code}, 200, 'CANCEL crosses 200: answered');
$r = $mary->final('INVITE');
is($r->{code}, 200, 'CANCEL crosses 200: the 200 counts');
$call = { web => $mary->dialog($sent, $r, 1),
    far => $far->dialog($seen, $answer, 0) };
$mary->within($call->{web}, 'ACK');
ok($far->expect('ACK'), 'CANCEL crosses 200: ACK');
$calls->hang_up('mary', $call, 'CANCEL crosses 200');

# the page closes while it rings

($sent, $seen) = $calls->invite(name => 'page closed');
$far->respond($seen, 180, 'Ringing');
$mary->expect('180');
$mary->close(1001);
$r = $far->expect('CANCEL');
ok($r, 'page closed: CANCEL');
$far->reply($r, 200, 'OK');
$far->reply($seen, 487, 'Request Terminated');
ok($far->expect('ACK'), 'page closed: ACK');
$calls->clean('page closed');

$calls->done();
