#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Offers that come late, answers that come early, answers that fork: RFC 3261
# 13, RFC 3262, RFC 3264.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Call qw/ hang_up sdp_body /;
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

my $t = Test::Nginx->new()->has(qw/ http /)->plan(37);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));

$mary->register();

my @sdp = ('Content-Type' => 'application/sdp');

# from the core without SDP: offer in the 200, answer in the ACK

my $sent = $core->terminating('INVITE', to => $mary->{impu});
my $seen = $mary->expect('INVITE');

is($seen->{body}, '', 'INVITE without SDP');
is(scalar $ng->seen('offer'), 0, 'helper not asked');

my $answer = $mary->reply($seen, 200, 'OK', tag => 'late',
    headers => [ Contact => $mary->contact(), @sdp ], body => web_sdp());
my $ok = $core->expect('200 INVITE');

like($ok->{body}, qr!^s=offer1\r.*RTP/AVP!ms, 'offer in the 200');
is(($ng->seen('offer'))[0]{'from-tag'}, 'late', 'the browser offers');

my $far = $core->dialog($sent, $ok, 1);
my $web = $mary->dialog($seen, $answer, 0);

$core->within($far, 'ACK', headers => [ @sdp ], body => ims_sdp());
my $ack = $mary->expect('ACK');

like($ack->{body}, qr/^s=answer1\r.*SAVPF/ms, 'answer in the ACK');
is(($ng->seen('answer'))[0]{'from-tag'}, 'late', 'to that offer');
is(hang_up($core, $far, $mary), 200, 'BYE');
$ng->wait_for('delete', 1);
is(scalar $ng->seen('delete'), 1, 'deleted once');

# from the browser: early media in a reliable 183, PRACK, 200 without SDP

$sent = $mary->start('INVITE', body => web_sdp(),
    headers => [ @sdp, Supported => '100rel' ]);
$seen = $core->expect('INVITE');
$core->reply($seen, 183, 'Session Progress', tag => 'a', headers => [
    Contact => $core->contact(), Require => '100rel', RSeq => 77, @sdp ],
    body => ims_sdp());

my $early = $mary->expect('183');

like($early->{body}, qr/^s=answer\d+\r.*SAVPF/ms, 'early answer');
is($early->h('RSeq'), 77, 'RSeq');
is($early->tag('To'), 'a', 'tag');

$web = $mary->dialog($sent, $early, 1);
$mary->within($web, 'PRACK', headers => [ RAck => '77 1 INVITE' ]);
my $prack = $core->expect('PRACK');

is($prack->h('RAck'), '77 1 INVITE', 'PRACK in the early dialog');
is($prack->tag('To'), 'a', 'its tag');
$core->reply($prack, 200, 'OK');
is($mary->final('PRACK')->{code}, 200, 'answered');

$core->reply($seen, 200, 'OK', tag => 'a', headers => [
    Contact => $core->contact() ]);
$ok = $mary->expect('200 INVITE');
is($ok->{body}, '', '200 without SDP');
$mary->within($web, 'ACK', cseq => 1);
is($core->expect('ACK')->cseq(), 1, 'ACK');
is(hang_up($mary, $web, $core), 200, 'BYE of the browser');
$ng->wait_for('delete', 2);
is(scalar $ng->seen('delete'), 2, 'deleted once');

# forked: the answer that rings early is not the one that is taken

$sent = $mary->start('INVITE', sdp_body(web_sdp()));
$seen = $core->expect('INVITE');

$core->reply($seen, 183, 'Session Progress', tag => 'one', headers => [
    Contact => '<sip:one@127.0.0.1:' . port(8981, udp => 1) . '>', @sdp ],
    body => ims_sdp(port => 41000));
is($mary->expect('183')->tag('To'), 'one', 'first branch');
$core->reply($seen, 180, 'Ringing', tag => 'two', headers => [
    Contact => $core->contact() ]);
is($mary->expect('180')->tag('To'), 'one', 'second branch, as the first');
$answer = $core->reply($seen, 200, 'OK', tag => 'two', headers => [
    Contact => $core->contact(), @sdp ], body => ims_sdp(port => 42000));
$ok = $mary->expect('200 INVITE');

is($ok->tag('To'), 'one', 'second branch answers');
like($ok->{body}, qr/SAVPF/, 'with an answer');

$web = $mary->dialog($sent, $ok, 1);
$far = $core->dialog($seen, $answer, 0);
$mary->within($web, 'ACK');
$ack = $core->expect('ACK');
is($ack->tag('To'), 'two', 'ACK to it');
is($ack->{uri}, $core->contact() =~ s/[<>]//gr, 'at its Contact');
is(hang_up($core, $far, $mary), 200, 'BYE of the core');
$ng->wait_for('delete', 3);
IMS::Loop::pause(0.2);
is(scalar $ng->seen('delete'), 3, 'deleted once');

# answers of the core that a browser must not take as they are

for my $case ([ 503, 500 ], [ 407, 403 ], [ 401, 403 ], [ 488, 488 ]) {
    my ($code, $want) = @$case;

    $sent = $mary->start('INVITE', sdp_body(web_sdp()));
    $seen = $core->expect('INVITE');
    $core->reply($seen, $code, 'No', headers => [
        'Proxy-Authenticate' => 'Digest realm="x", nonce="secret"' ]);
    my $r = $mary->final('INVITE');
    is($r->{code}, $want, "$code of the core is $want");
    $mary->same_hop($sent, 'ACK', $r->h('To')) if $r;
}

# the dialog that was refused is no dialog

$mary->within($mary->dialog($sent, $seen->response(488, 'No',
    headers => [ Contact => $core->contact() ]), 1), 'BYE');
like($mary->final('BYE')->{code}, qr/^4(03|81)$/, 'BYE of no dialog');

ok($mary->is_open(), 'still open');
# the helper does not take the answer: nobody is left waiting for an ACK

$sent = $core->terminating('INVITE', to => $mary->{impu});
$mary->reply($mary->expect('INVITE'), 200, 'OK', headers => [
    Contact => $mary->contact(), @sdp ], body => web_sdp());
$far = $core->dialog($sent, $core->expect('200 INVITE'), 1);
my $deleted = $ng->seen('delete');

$ng->mode('error', 'Unsupported media');
$core->within($far, 'ACK', headers => [ @sdp ], body => ims_sdp());
$ack = $mary->expect('ACK');
is($ack->{body}, '', 'ACK without the answer');
is($ack->h('Content-Type'), undef, 'and its type');

for my $ua ($mary, $core) {
    my $bye = $ua->expect('BYE');

    like($bye->h('Reason'), qr/cause=488/, 'BYE');
    $ua->reply($bye, 200, 'OK');
}

IMS::Loop::pause(0.1);
is(scalar $ng->seen('delete'), $deleted + 1, 'deleted once');

$mary->close();
