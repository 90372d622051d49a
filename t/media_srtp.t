#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# ims_portal_media_srtp: what browsers offer reaches the core as RTP/SAVP with
# SDES, by the media helper itself; what the core offers so is answered so.

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
use IMS::SDP qw/ web_sdp ims_sdp /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

BAIL_OUT("$IMS::Flow::HELPER is not built") unless -x $IMS::Flow::HELPER;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(13);

my $jwt = IMS::JWT->new($t);
my $KEY = 'd0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj';

my $helper = IMS::Flow->helper($t->testdir() . '/m.sock', web => 28930,
    ports => '28932-28959');

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/m.sock', http => 'ims_portal_media_srtp on;'));
$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));

$mary->register();

# the browser calls

my $call = call_up($mary, $core, answer => srtp_sdp(
    "1 AES_CM_128_HMAC_SHA1_80 inline:$KEY"));

like($call->{seen}{body}, qr!^m=audio \d+ RTP/SAVP !m, 'offered as SAVP');
like($call->{seen}{body},
    qr!^a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:[A-Za-z0-9+/]{40}\r$!m,
    'with a key');
like($call->{ok}{body}, qr!^m=audio \d+ UDP/TLS/RTP/SAVPF !m,
    'the browser has DTLS');
unlike($call->{ok}{body}, qr/a=crypto/, 'and no key');
unlike($call->{ok}{body}, qr/\Q$KEY\E/, 'least of all the peer\'s');

is(hang_up($mary, $call->{web}, $core), 200, 'hang up');

# the core calls

$core->terminating('INVITE', to => $mary->{impu}, body => srtp_sdp(
    "9 AEAD_AES_128_GCM inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGw=="),
    headers => [ 'Content-Type' => 'application/sdp' ]);
my $seen = $mary->expect('INVITE') or die "no INVITE at the browser\n";

like($seen->{body}, qr!^m=audio \d+ UDP/TLS/RTP/SAVPF !m,
    'of the core: the browser has DTLS');
unlike($seen->{body}, qr/a=crypto/, 'of the core: and no key');

$mary->reply($seen, 200, 'OK', headers => [ Contact => $mary->contact(),
    'Content-Type' => 'application/sdp' ], body => web_sdp(setup => 'active'));
my $ok = $core->expect('200 INVITE') or die "no 200 at the core\n";

like($ok->{body}, qr!^m=audio \d+ RTP/SAVP !m, 'of the core: its profile');
like($ok->{body}, qr!^a=crypto:9 AEAD_AES_128_GCM inline:!m,
    'of the core: its suite and tag');

# a core that has none

$mary->start('INVITE', sdp_body(web_sdp()));
$seen = $core->expect('INVITE');
like($seen->{body}, qr!^m=audio \d+ RTP/SAVP !m, 'refused: offered');
$core->reply($seen, 488, 'Not Acceptable Here');
is($mary->final('INVITE')->{code}, 488, 'refused: the browser is told');
ok($core->none('INVITE'), 'refused: nothing goes without');

$mary->close();
$helper->stop();

# an IMS end with SRTP, where the helper may send to

sub srtp_sdp {
    my ($crypto) = @_;

    my $sdp = ims_sdp() =~ s/192\.0\.2\.9/127.0.0.1/gr;

    return $sdp =~ s!RTP/AVP (.*?)\r\n!RTP/SAVP $1\r\na=crypto:$crypto\r\n!r;
}
