#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Late offers (RFC 3261 13.2.1, RFC 3262 5, RFC 3264): whoever sent the INVITE
# left it to the other side to offer.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Call qw/ call_up hang_up sdp_body /;
use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IMS::SDP qw/ web_sdp ims_sdp /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(45);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));
my @sdp = ('Content-Type' => 'application/sdp');
my @rel = (Require => '100rel', RSeq => 4);

$mary->register();

# the last command at the helper: its name and who offered

sub helper {
    my $last = $ng->{log}[-1];

    return "$last->{command} $last->{'from-tag'} $last->{'to-tag'}";
}

# the browser leaves it to the core: offer in the 200, answer in the ACK

my $sent = $mary->start('INVITE');
my $seen = $core->expect('INVITE');
my $tag = $sent->tag('From');

is($seen->{body}, '', 'INVITE without SDP');

my $answer = $core->reply($seen, 200, 'OK', tag => 'far', headers => [
    Contact => $core->contact(), @sdp ], body => ims_sdp());
my $ok = $mary->expect('200 INVITE');

like($ok->{body}, qr/^s=offer1\r.*SAVPF/ms, 'offer in the 200');
is(helper(), "offer far $tag", 'the core offers');

my $web = $mary->dialog($sent, $ok, 1);
my $far = $core->dialog($seen, $answer, 0);

$mary->within($web, 'ACK', cseq => 1, headers => [ @sdp ],
    body => web_sdp(setup => 'active'));

my $ack = $core->expect('ACK');

like($ack->{body}, qr!^s=answer1\r.*RTP/AVP!ms, 'answer in the ACK');
is(helper(), "answer far $tag", 'to that offer');

# and again within the call, in both directions

my $re = $mary->within($web, 'INVITE');

$seen = $core->expect('INVITE');
is($seen->{body}, '', 're-INVITE without SDP');
$core->reply($seen, 200, 'OK', headers => [ Contact => $core->contact(),
    @sdp ], body => ims_sdp(version => 2));
$ok = $mary->expect('200 INVITE');
like($ok->{body}, qr/^s=offer2\r/m, 'offer in its 200');
is(helper(), "offer far $tag", 'the core offers');
$mary->within($web, 'ACK', headers => [ @sdp ], body => web_sdp());
like($core->expect('ACK')->{body}, qr/^s=answer2\r/m, 'answer in its ACK');

$core->within($far, 'INVITE');
$seen = $mary->expect('INVITE');
is($seen->{body}, '', 're-INVITE of the core without SDP');
$mary->reply($seen, 200, 'OK', headers => [ Contact => $mary->contact(),
    @sdp ], body => web_sdp(version => 3));
$ok = $core->expect('200 INVITE');
like($ok->{body}, qr!^s=offer3\r.*RTP/AVP!ms, 'offer in its 200');
is(helper(), "offer $tag far", 'the browser offers');
$core->within($far, 'ACK', headers => [ @sdp ], body => ims_sdp());
like($mary->expect('ACK')->{body}, qr/^s=answer3\r.*SAVPF/ms,
    'answer in its ACK');
is(helper(), "answer $tag far", 'to that offer');
is(hang_up($mary, $web, $core), 200, 'BYE');
$ng->wait_for('delete', 1);

# the browser knows 100rel: offer in a reliable 183, answer in the PRACK

$sent = $mary->start('INVITE', headers => [ Supported => '100rel' ]);
$seen = $core->expect('INVITE');
$tag = $sent->tag('From');
$core->reply($seen, 183, 'Session Progress', tag => 'far', headers => [
    Contact => $core->contact(), @rel, @sdp ], body => ims_sdp());

my $early = $mary->expect('183');

like($early->{body}, qr/^s=offer4\r.*SAVPF/ms, 'offer in the 183');
is(helper(), "offer far $tag", 'the core offers');
$web = $mary->dialog($sent, $early, 1);
$mary->within($web, 'PRACK', headers => [ RAck => '4 1 INVITE', @sdp ],
    body => web_sdp(setup => 'active'));

my $prack = $core->expect('PRACK');

like($prack->{body}, qr!^s=answer4\r.*RTP/AVP!ms, 'answer in the PRACK');
is(helper(), "answer far $tag", 'to that offer');
$core->reply($prack, 200, 'OK');
is($mary->final('PRACK')->{code}, 200, 'answered');

$answer = $core->reply($seen, 200, 'OK', tag => 'far', headers => [
    Contact => $core->contact(), @sdp ], body => ims_sdp());
$ok = $mary->expect('200 INVITE');
is($ok->{body}, '', 'SDP behind the exchange is not passed on');
is($ok->h('Content-Type'), undef, 'nor named');
is(scalar(my @offers = $ng->seen('offer')), 4, 'nor taken for an offer');
$mary->within($web, 'ACK', cseq => 1);
is($core->expect('ACK')->{body}, '', 'ACK without SDP');
is(hang_up($mary, $web, $core), 200, 'BYE');
$ng->wait_for('delete', 2);

# the core leaves it to a browser that knows 100rel

$sent = $core->terminating('INVITE', to => $mary->{impu},
    headers => [ Supported => '100rel' ]);
$seen = $mary->expect('INVITE');
$tag = $sent->tag('From');
$mary->reply($seen, 183, 'Session Progress', tag => 'page', headers => [
    Contact => $mary->contact(), @rel, @sdp ], body => web_sdp());
$early = $core->expect('183');
like($early->{body}, qr!^s=offer5\r.*RTP/AVP!ms, 'offer in the 183');
is(helper(), "offer page $tag", 'the browser offers');
$far = $core->dialog($sent, $early, 1);
$core->within($far, 'PRACK', headers => [ RAck => '4 1 INVITE', @sdp ],
    body => ims_sdp());
$prack = $mary->expect('PRACK');
like($prack->{body}, qr/^s=answer5\r.*SAVPF/ms, 'answer in the PRACK');
is(helper(), "answer page $tag", 'to that offer');
$mary->reply($prack, 200, 'OK');
is($core->final('PRACK')->{code}, 200, 'answered');
$answer = $mary->reply($seen, 200, 'OK', tag => 'page', headers => [
    Contact => $mary->contact() ]);
$ok = $core->expect('200 INVITE');
is($ok->{body}, '', '200 without SDP');
$core->within($far, 'ACK', cseq => 1);
ok($mary->expect('ACK'), 'ACK');
is(hang_up($core, $far, $mary), 200, 'BYE');
$ng->wait_for('delete', 3);

# one that demands 100rel of a browser that offers in a plain 183: the offer
# comes with the 200, which needs no PRACK

$sent = $core->terminating('INVITE', to => $mary->{impu},
    headers => [ Require => '100rel' ]);
$seen = $mary->expect('INVITE');
$tag = $sent->tag('From');
$mary->reply($seen, 183, 'Session Progress', tag => 'page', headers => [
    Contact => $mary->contact(), @sdp ], body => web_sdp());
$early = $core->expect('183');
is($early->{body}, '', 'no offer in a 183 that was plain');
like($early->h('RSeq'), qr/^\d+$/, 'which is reliable');
$far = $core->dialog($sent, $early, 1);
$core->within($far, 'PRACK', headers => [
    RAck => $early->h('RSeq') . ' 1 INVITE' ]);
is($core->final('PRACK')->{code}, 200, 'PRACK');
$answer = $mary->reply($seen, 200, 'OK', tag => 'page', headers => [
    Contact => $mary->contact(), @sdp ], body => web_sdp());
$ok = $core->expect('200 INVITE');
like($ok->{body}, qr!^s=offer6\r.*RTP/AVP!ms, 'offer in the 200');
$core->within($far, 'ACK', cseq => 1, headers => [ @sdp ],
    body => ims_sdp());
like($mary->expect('ACK')->{body}, qr/^s=answer6\r/m, 'answer in the ACK');
is(helper(), "answer page $tag", 'to that offer');
is(hang_up($core, $far, $mary), 200, 'BYE');
$ng->wait_for('delete', 4);

# a late offer that the helper refuses ends the INVITE, not more

my $call = call_up($mary, $core);

$core->within($call->{core}, 'INVITE');
$seen = $mary->expect('INVITE');
$ng->mode('error', 'Unsupported media');
$mary->reply($seen, 200, 'OK', headers => [ Contact => $mary->contact(),
    @sdp ], body => web_sdp(version => 3));
my $r = $core->final('INVITE');
is($r->{code}, 488, 'refused by the helper: 488');
$core->expect('ACK', 0.1);
ok($mary->expect('ACK'), 'the browser gets an ACK');
$ng->mode('answer');
is(hang_up($core, $call->{core}, $mary), 200, 'the call goes on');
$ng->wait_for('delete', 5);
is(scalar(my @deleted = $ng->seen('delete')), 5, 'each deleted once');
is(scalar(my @bad = @{$core->{bad}}), 0, 'nothing malformed');

$mary->close();
