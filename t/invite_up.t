#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A call from the browser to the IMS, step by step.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Call qw/ sdp_body /;
use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IMS::SDP qw/ web_sdp ims_sdp /;
use IMS::SIP;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(60);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));
my $impu = $mary->{impu};
my $own = '127.0.0.1:' . port(8980, udp => 1);

is($mary->ask('INVITE', sdp_body(web_sdp()))->{code}, 403, 'not registered');
$mary->register();

# INVITE

my $eve = '<sip:u199@acme.ims.operator.example>';
my $sent = $mary->start('INVITE', to => 'tel:+15550199', body => web_sdp(),
    from => 'sip:u199@acme.ims.operator.example',
    headers => [
        'Content-Type' => 'application/sdp', Route => '<sip:forged@x.org;lr>',
        'P-Preferred-Identity' => $eve, 'P-Asserted-Identity' => $eve,
        Supported => 'timer, outbound', 'X-Own' => 'kept',
    ]);

is($mary->expect('100')->cseq_method(), 'INVITE', '100 at once');

my $invite = $core->expect('INVITE');

is($invite->{uri}, 'tel:+15550199', 'Request-URI');
is(join('|', $invite->all('Route')), $core->service_route(), 'stored route');
is(IMS::SIP::uri_of($invite->h('P-Asserted-Identity')), $impu, 'PAI');
is($invite->h('P-Preferred-Identity'), undef, 'no P-Preferred-Identity');
is(IMS::SIP::uri_of($invite->h('From')), $impu, 'From forced');
is($invite->tag('From'), $sent->tag('From'), 'its tag kept');
unlike($invite->{raw}, qr/u199|forged/, 'nothing forged');
is($invite->h('Max-Forwards'), 69, 'Max-Forwards');
like(($invite->list('Record-Route'))[0], qr/\@\Q$own\E;.*lr/, 'Record-Route');
like($invite->h('P-Charging-Vector'), qr/icid-value=/, 'icid');
is($invite->h('Content-Type'), 'application/sdp', 'Content-Type');
is($invite->h('Content-Length'), length $invite->{body}, 'Content-Length');
like($invite->{body}, qr/^s=offer1\r$/m, 'SDP of the helper');
like($invite->{body}, qr!RTP/AVP!, 'for the IMS');

my ($offer) = $ng->seen('offer');

is(scalar $ng->seen('offer'), 1, 'one offer');
is($offer->{sdp}, web_sdp(), 'SDP of the browser');
is($offer->{'from-tag'}, $sent->tag('From'), 'from-tag');
like($offer->{'call-id'}, qr/./, 'call-id');
is($offer->{ICE}, 'remove', 'ICE=remove');
is($offer->{'transport-protocol'}, 'RTP/AVP', 'RTP/AVP');
is_deeply($offer->{direction}, [ 'web', 'ims' ], 'direction');

# provisional answers

$core->reply($invite, 100, 'Trying');
$core->reply($invite, 180, 'Ringing', headers => [
    Contact => $core->contact(),
    'P-Charging-Vector' => 'icid-value=secret' ]);

my $ringing = $mary->expect('180');

is(join('|', $ringing->all('Via')), $sent->h('Via'), 'Via of the browser');
is(IMS::SIP::uri_of($ringing->h('From')),
    'sip:u199@acme.ims.operator.example', 'From as the browser knows it');
unlike($ringing->{raw}, qr/secret/, 'no charging');
ok($mary->none('100', 0.1), '100 of the core not passed on');

# 200, and again until the ACK

my @answer = (headers => [ Contact => $core->contact(),
    'Content-Type' => 'application/sdp' ], body => ims_sdp());

$core->reply($invite, 200, 'OK', @answer);
my $ok = $mary->expect('200 INVITE');

like($ok->{body}, qr/^s=answer1\r$/m, 'SDP of the helper');
like($ok->{body}, qr/SAVPF/, 'for the browser');
is($ok->h('Content-Length'), length $ok->{body}, 'Content-Length');
like(join(',', $ok->list('Record-Route')), qr/lr/, 'Record-Route');

my ($answer) = $ng->seen('answer');

is($answer->{sdp}, ims_sdp(), 'SDP of the core');
is($answer->{'call-id'}, $offer->{'call-id'}, 'same call-id');
is($answer->{'from-tag'}, $offer->{'from-tag'}, 'from-tag of the caller');
is($answer->{'to-tag'}, $ok->tag('To'), 'to-tag');
is($answer->{'transport-protocol'}, 'UDP/TLS/RTP/SAVPF', 'SAVPF');

my $web = $mary->dialog($sent, $ok, 1);
my $far = $core->dialog($invite, $invite->response(200, 'OK', @answer), 0);

$mary->within($web, 'ACK');
my $ack = $core->expect('ACK');

is($ack->cseq(), 1, 'ACK');
is($ack->{uri}, IMS::SIP::uri_of($core->contact()), 'to the Contact');
is($ack->h('Route'), undef, 'own Route taken away');
isnt($ack->branch(), $invite->branch(), 'own branch');

$core->reply($invite, 200, 'OK', @answer);
IMS::Loop::pause(0.3);
is(scalar $ng->seen('answer'), 1, 'answer again: helper not asked again');

# INFO both ways

$mary->within($web, 'INFO', headers => [
    'Content-Type' => 'application/dtmf-relay' ], body => "Signal=5\r\n");
my $info = $core->expect('INFO');

is($info->{body}, "Signal=5\r\n", 'INFO');
is(IMS::SIP::uri_of($info->h('From')), $impu, 'From forced in the dialog');
$core->reply($info, 200, 'OK');
is($mary->final('INFO')->{code}, 200, 'answered');

$core->within($far, 'INFO');
$info = $mary->expect('INFO');
is($info->h('To'), $sent->h('From'), 'To as the browser knows it');
$mary->reply($info, 200, 'OK');
is($core->final('INFO')->{code}, 200, 'INFO from the core answered');

# re-INVITE from the browser: hold

my $re = $mary->within($web, 'INVITE', headers => [
    'Content-Type' => 'application/sdp' ],
    body => web_sdp(version => 3, direction => 'sendonly'));
my $hold = $core->expect('INVITE');

is(scalar $ng->seen('offer', $offer->{'call-id'}), 2, 'offer on the same call');
like($hold->{body}, qr/^s=offer2\r$/m, 'its SDP');
is($hold->tag('To'), $ok->tag('To'), 'in the dialog');

$core->reply($hold, 200, 'OK', @answer);
$ok = $mary->expect('200 INVITE');
like($ok->{body}, qr/^s=answer2\r$/m, 'answered');
$mary->within($web, 'ACK');
is($core->expect('ACK')->cseq(), $re->cseq(), 'ACK to it');

# re-INVITE from the core

$core->within($far, 'INVITE', headers => [
    'Content-Type' => 'application/sdp' ], body => ims_sdp(version => 2));
$re = $mary->expect('INVITE');

like($re->{body}, qr/SAVPF/, 're-INVITE from the core');
is(($ng->seen('offer'))[-1]{'from-tag'}, $web->{remote} =~ s/.*tag=//r,
    'tags reversed');
$mary->reply($re, 200, 'OK', headers => [ Contact => $mary->contact(),
    'Content-Type' => 'application/sdp' ], body => web_sdp(version => 4));
like($core->expect('200 INVITE')->{body}, qr!RTP/AVP!, 'answered');
$core->within($far, 'ACK');
ok($mary->expect('ACK'), 'ACK at the browser');

# BYE

is(scalar $ng->seen('delete'), 0, 'nothing deleted yet');
is(IMS::Call::hang_up($mary, $web, $core), 200, 'BYE');
$ng->wait_for('delete');
IMS::Loop::pause(0.3);
is(scalar $ng->seen('delete', $offer->{'call-id'}), 1, 'deleted once');

# and a second call with the same registration

my $call = IMS::Call::call_up($mary, $core);
is(IMS::Call::hang_up($core, $call->{core}, $mary), 200, 'second call');
is(scalar $core->seen('REGISTER'), 1, 'registered once');

$mary->close();
