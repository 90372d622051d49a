#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Calls of a browser without 100rel through the real core, which challenges
# each of its requests with 407: reliable early media, forked answers, the 200
# without SDP that follows them, and the portal's own BYE.

use warnings;
use strict;

use File::Basename qw(dirname);
use FindBin;
use Test::More;

use lib dirname(__FILE__);
use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/../lib",
    "$FindBin::Bin/../lib";

use Edge;
use IMS::Browser;
use IMS::Call qw/ sdp_body /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::NG;
use IMS::SDP qw/ web_sdp ims_sdp /;
use Test::Nginx qw/ port /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $home = 'ims.operator.example';
my $t = Test::Nginx->new()->has(qw/ http /)->plan(30);
my $secrets = $t->testdir() . '/secrets';

$t->write_file('secrets', "acme-pool-1\@$home password secret\n");
chmod 0600, $secrets;

my $jwt = IMS::JWT->new($t);
my $far = IMS::Core->new();
my $core = Edge->new(TRANSPORT => 'udp', CHALLENGE => 'yes',
    FAREND => $far->host(), EDGE => '127.0.0.1:' . port(8980, udp => 1));

$far->{portal} = $core->{sport};

$t->write_file_expand('nginx.conf', ims_conf(
    identity => "sip:u[001-020]\@acme.$home impi=acme-pool-1\@$home",
    register => "digest secrets=$secrets",
    server_ims => "$core->{uri}:$core->{port}",
    media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $mary = IMS::Browser->open(token => $jwt->token('mary'));
my @sdp = ('Content-Type' => 'application/sdp');

is($mary->register()->{code}, 200, 'registered');

# INVITE: the 407 is the portal's, not the browser's

my $sent = $mary->start('INVITE', to => "sip:9197\@$home",
    sdp_body(web_sdp()));
my $seen = $far->expect('INVITE');

ok($seen, 'the call is there');
is($seen->cseq(), 2, 'it was challenged');
is($seen->h('Proxy-Authorization'), undef, 'credentials stay at the core');
is(IMS::SIP::uri_of($seen->h('P-Asserted-Identity')), $mary->{impu},
    'who calls');
like(join(',', $seen->all('Supported')), qr/100rel/, '100rel is offered');

# two branches, one reliable with media

my $early = $far->reply($seen, 183, 'Session Progress', tag => 'one',
    headers => [ Contact => $far->contact(), Require => '100rel', RSeq => 12,
        @sdp ], body => ims_sdp());
my $prack = $far->expect('PRACK');

is($prack->h('RAck'), '12 2 INVITE', 'PRACK of the portal');
is($prack->tag('To'), 'one', 'in its dialog');
is($prack->cseq(), 3, 'CSeq goes on');
$far->reply($prack, 200, 'OK');

my $r = $mary->expect('183');

like($r->{body}, qr/SAVPF/, 'early media');
is($r->h('RSeq'), undef, 'as if plain');

$far->reply($seen, 180, 'Ringing', tag => 'two', headers => [
    Contact => $far->contact() ]);
is($mary->expect('180')->tag('To'), 'one', 'another branch looks the same');

# the first answers, with what it said before

my $answer = $far->reply($seen, 200, 'OK', tag => 'one', headers => [
    Contact => $far->contact() ]);
my $ok = $mary->expect('200 INVITE');

is($ok->tag('To'), 'one', 'answered');
like($ok->{body}, qr/SAVPF/, 'has an answer for the browser');

my $web = $mary->dialog($sent, $ok, 1);
my $dialog = $far->dialog($seen, $answer, 0);

$mary->within($web, 'ACK', cseq => 1);

my $ack = $far->expect('ACK');

is($ack->cseq(), 2, 'ACK has the CSeq of the INVITE');
is($ack->{uri}, IMS::SIP::uri_of($far->contact()), 'and finds its way');

# both ways in the call

$mary->within($web, 'INVITE', sdp_body(web_sdp(version => 3,
    direction => 'sendonly')));
$seen = $far->expect('INVITE');
is($seen->cseq(), 4, 're-INVITE counts on');
$far->reply($seen, 200, 'OK', headers => [ Contact => $far->contact(), @sdp ],
    body => ims_sdp(version => 2, direction => 'recvonly'));
is($mary->expect('200 INVITE')->cseq(), 2, 'the browser knows its own');
$mary->within($web, 'ACK');
is($far->expect('ACK')->cseq(), 4, 'ACK');

$far->within($dialog, 'UPDATE', sdp_body(ims_sdp(version => 3)));
$seen = $mary->expect('UPDATE');
like($seen->{body}, qr/SAVPF/, 'UPDATE of the far end');
$mary->reply($seen, 200, 'OK', headers => [ Contact => $mary->contact(),
    @sdp ], body => web_sdp(version => 4));
is($far->final('UPDATE')->{code}, 200, 'answered');

# the page is closed

$mary->close(1001);

my $bye = $far->expect('BYE');

is($bye->tag('To'), 'one', 'BYE of the portal');
cmp_ok($bye->cseq(), '>', 4, 'counts on');
$far->reply($bye, 200, 'OK');

# a second branch that answers, too

$mary = IMS::Browser->open(token => $jwt->token('mary'));
$mary->register();
$sent = $mary->start('INVITE', to => "sip:9197\@$home",
    sdp_body(web_sdp()));
$seen = $far->expect('INVITE');
$far->reply($seen, 180, 'Ringing', tag => 'red', headers => [
    Contact => $far->contact() ]);
$mary->expect('180');

for my $tag ('blue', 'red') {
    $far->reply($seen, 200, 'OK', tag => $tag, headers => [
        Contact => $far->contact(), @sdp ], body => ims_sdp());
}

$ok = $mary->expect('200 INVITE');
is($ok->tag('To'), 'red', 'the tag that was seen first');
$ack = $far->expect('ACK');
is($ack->tag('To'), 'red', 'the second one gets an ACK of the portal');
$bye = $far->expect('BYE');
is($bye->tag('To'), 'red', 'and a BYE');
$far->reply($bye, 200, 'OK');

$web = $mary->dialog($sent, $ok, 1);
$mary->within($web, 'ACK', cseq => 1);
is($far->expect('ACK')->tag('To'), 'blue', 'the first one has the call');
$mary->within($web, 'BYE');
$bye = $far->expect('BYE');
is($bye->tag('To'), 'blue', 'and its BYE');
$far->reply($bye, 200, 'OK');
is($mary->final('BYE')->{code}, 200, 'answered');

is($mary->register(expires => 0)->{code}, 200, 'left');

$t->stop();
$core->stop();
