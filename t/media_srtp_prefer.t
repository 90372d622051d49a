#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# ims_portal_media_srtp prefer: the core is offered SRTP, and where it refuses
# that, the same call goes again without, by the media helper itself. What was
# agreed holds for all offers in the call.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ call_up hang_up sdp_body /;
use IMS::Conf;
use IMS::Core;
use IMS::Flow;
use IMS::JWT;
use IMS::Loop;
use IMS::SDP qw/ web_sdp ims_sdp /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

BAIL_OUT("$IMS::Flow::HELPER is not built") unless -x $IMS::Flow::HELPER;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(45);

my $jwt = IMS::JWT->new($t);
my $CRYPTO = 'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:'
    . 'd0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj';

my $helper = IMS::Flow->helper($t->testdir() . '/m.sock', web => 28960,
    ports => '28962-28989');

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/m.sock',
    http => 'ims_portal_media_srtp prefer;'));
$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));

$mary->register();

# the core has it

my $call = call_up($mary, $core, answer => ims('RTP/SAVP'));
offered($call->{seen}, 1, 'taken');
like($call->{ok}{body}, qr!^m=audio \d+ UDP/TLS/RTP/SAVPF !m,
    'taken: the browser has DTLS');
offered(again($call, 'RTP/SAVP'), 1, 'taken: and within the call');
is(hang_up($mary, $call->{web}, $core), 200, 'taken: hang up');

# it has not

for my $code (488, 606) {
    my ($sent, $first) = invite();

    $core->reply($first, 180, 'Ringing',
        headers => [ Contact => $core->contact() ]);
    ok($mary->expect('180'), "$code: it rings");
    $core->reply($first, $code, 'Not Acceptable');
    ok($core->expect('ACK'), "$code: ACK");

    my $seen = $core->expect('INVITE');
    offered($seen, 0, "$code: again");
    is($seen->h('Call-ID'), $first->h('Call-ID'), "$code: the same call");
    is($seen->cseq(), $first->cseq() + 1, "$code: the next CSeq");
    is($seen->tag('From'), $first->tag('From'), "$code: the same tag");

    $call = answer($sent, $seen, ims('RTP/AVP'));
    is($call->{ok}{code}, 200, "$code: the browser is answered");
    is($call->{ok}->cseq(), $sent->cseq(), "$code: its own CSeq");
    is($call->{ack}->cseq(), $seen->cseq(), "$code: ACK of the second");
    offered(again($call, 'RTP/AVP'), 0, "$code: and within the call");
    is(hang_up($mary, $call->{web}, $core), 200, "$code: hang up");
}

# nor that: once is enough

my ($sent, $seen) = invite();
$core->reply($seen, 488, 'Not Acceptable Here');
$seen = $core->expect('INVITE');
$core->reply($seen, 488, 'Not Acceptable Here');
is($mary->final('INVITE')->{code}, 488, 'refused twice');
ok($core->none('INVITE'), 'and not a third time');

# other refusals have another reason

($sent, $seen) = invite();
$core->reply($seen, 486, 'Busy Here');
is($mary->final('INVITE')->{code}, 486, 'busy');
ok($core->none('INVITE'), 'is no matter of media');

# whoever hangs up meanwhile is heard

($sent, $seen) = invite();
$core->reply($seen, 488, 'Not Acceptable Here');
$seen = $core->expect('INVITE');
$core->reply($seen, 180, 'Ringing',
    headers => [ Contact => $core->contact() ]);
ok($mary->expect('180'), 'canceled: it rings');
$mary->same_hop($sent, 'CANCEL');
my $cancel = $core->expect('CANCEL');
is($cancel->cseq(), $seen->cseq(), 'canceled: the second one');
$core->reply($cancel, 200, 'OK');
$core->reply($seen, 487, 'Request Terminated');
is($mary->final('INVITE')->{code}, 487, 'canceled');

# answered, but with no m-line taken

($sent, $seen) = invite();
my $answer = $core->reply($seen, 200, 'OK', headers => [
    Contact => $core->contact(), 'Content-Type' => 'application/sdp' ],
    body => ims('RTP/SAVP') =~ s/m=audio \d+/m=audio 0/r);
ok($core->expect('ACK'), 'no m-line: ACK');
my $bye = $core->expect('BYE');
is($bye->h('Reason'), 'SIP;cause=488;text="SRTP refused"', 'no m-line: BYE');
$core->reply($bye, 200, 'OK');
my $second = $core->expect('INVITE');
offered($second, 0, 'no m-line: again');
$call = answer($sent, $second, ims('RTP/AVP'));
is(hang_up($mary, $call->{web}, $core), 200, 'no m-line: hang up');

# the core calls: as it says

for my $profile (qw! RTP/AVP RTP/SAVP !) {
    my $ask = $core->terminating('INVITE', to => $mary->{impu},
        body => ims($profile),
        headers => [ 'Content-Type' => 'application/sdp' ]);
    my $seen = $mary->expect('INVITE');
    my $answer = $mary->reply($seen, 200, 'OK', headers => [
        Contact => $mary->contact(), 'Content-Type' => 'application/sdp' ],
        body => web_sdp(setup => 'active'));
    my $ok = $core->expect('200 INVITE');
    my $far = $core->dialog($ask, $ok, 1);
    my $web = $mary->dialog($seen, $answer, 0);

    $core->within($far, 'ACK');
    $mary->expect('ACK');
    like($ok->{body}, qr!^m=audio \d+ $profile !m, "$profile: answered so");
    offered(again({ web => $web }, $profile), $profile =~ /SAVP/ ? 1 : 0,
        "$profile: and within the call");
    is(hang_up($mary, $web, $core), 200, "$profile: hang up");
}

my $pool = IMS::Browser::api('GET', path => '/ims/status')->{json}{pools}[0];
is($pool->{dialogs}, 0, 'no call is left');
ok(IMS::Loop::wait_for(sub { $helper->calls() == 0 }, 20),
    'nor at the helper');

$mary->close();
$helper->stop();

###############################################################################

sub invite {
    my $sent = $mary->start('INVITE', sdp_body(web_sdp()));

    return ($sent, $core->expect('INVITE'));
}

sub answer {
    my ($sent, $seen, $sdp) = @_;

    $core->reply($seen, 200, 'OK', headers => [ Contact => $core->contact(),
        'Content-Type' => 'application/sdp' ], body => $sdp);
    my $ok = $mary->expect('200 INVITE');
    my $web = $mary->dialog($sent, $ok, 1);

    $mary->within($web, 'ACK');

    return { ok => $ok, web => $web, ack => $core->expect('ACK') };
}

# an offer of the browser's within a call, which is answered

sub again {
    my ($call, $profile) = @_;

    $mary->within($call->{web}, 'INVITE', sdp_body(web_sdp(version => 3)));
    my $seen = $core->expect('INVITE');
    $core->reply($seen, 200, 'OK', headers => [ Contact => $core->contact(),
        'Content-Type' => 'application/sdp' ], body => ims($profile));
    $mary->final('INVITE');
    $mary->within($call->{web}, 'ACK');
    $core->expect('ACK');

    return $seen;
}

sub offered {
    my ($seen, $srtp, $name) = @_;
    my $sdp = $seen->{body} // '';

    if ($srtp) {
        like($sdp, qr!^m=audio \d+ RTP/SAVP (?s:.*)^a=crypto:!m,
            "$name: SRTP is offered");

    } else {
        ok($sdp =~ m!^m=audio \d+ RTP/AVP !m && $sdp !~ /crypto/,
            "$name: none is offered");
    }
}

# an IMS end, where the helper may send to

sub ims {
    my ($profile) = @_;
    my $sdp = ims_sdp() =~ s/192\.0\.2\.9/127.0.0.1/gr =~ s!RTP/AVP!$profile!r;

    return $sdp unless $profile =~ /SAVP/;
    return $sdp =~ s/(?<=8 126\r\n)/$CRYPTO\r\n/r;
}
