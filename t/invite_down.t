#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A call from the IMS to the browser, step by step.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Call qw/ call_down hang_up /;
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

my $t = Test::Nginx->new()->has(qw/ http /)->plan(48);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));
my $impu = $mary->{impu};
my $own = '127.0.0.1:' . port(8980, udp => 1);

$mary->register();

my $sent = $core->terminating('INVITE', to => $impu, body => ims_sdp(),
    headers => [ 'Content-Type' => 'application/sdp' ]);
my $invite = $mary->expect('INVITE');

# a next hop gets four seconds for its first answer

is($core->expect('100')->cseq_method(), 'INVITE', '100 to the core');
is($invite->{uri}, "sip:page\@$mary->{host};transport=ws", 'Request-URI');
is($invite->h('Route'), undef, 'no Route');
is($invite->h('Max-Forwards'), 65, 'Max-Forwards');
is(IMS::SIP::uri_of($invite->h('P-Called-Party-ID')), $impu,
    'P-Called-Party-ID');
is(IMS::SIP::uri_of($invite->h('P-Asserted-Identity')),
    'sip:bob@ims.operator.example', 'PAI');
like($invite->{body}, qr/^s=offer1\r$/m, 'SDP of the helper');
like($invite->{body}, qr/SAVPF/, 'for the browser');
is($invite->h('Content-Length'), length $invite->{body}, 'Content-Length');
like(($invite->list('Record-Route'))[0], qr/lr/, 'Record-Route');
unlike($invite->{raw}, qr/secret/, 'no charging, no access network');

my ($offer) = $ng->seen('offer');

is($offer->{sdp}, ims_sdp(), 'SDP of the core');
is($offer->{'from-tag'}, $sent->tag('From'), 'from-tag');
is($offer->{ICE}, 'force', 'ICE=force');
is($offer->{'transport-protocol'}, 'UDP/TLS/RTP/SAVPF', 'SAVPF');
is_deeply($offer->{direction}, [ 'ims', 'web' ], 'direction');

# retransmitted by the core

$core->again($sent);
ok($mary->none('INVITE'), 'retransmission absorbed');
is(scalar $ng->seen('offer'), 1, 'one offer');

# answered

my %tag = (tag => 'web1');

$mary->reply($invite, 180, 'Ringing', %tag, headers => [
    Contact => $mary->contact(), Authorization => 'Bearer secret' ]);

my $ringing = $core->expect('180');

is(join('|', $ringing->list('Via')), join('|', $sent->list('Via')),
    'Via of the core');
unlike($ringing->{raw}, qr/secret/, 'no token');

my $answer = $mary->reply($invite, 200, 'OK', %tag, headers => [
    Contact => $mary->contact(), 'Content-Type' => 'application/sdp' ],
    body => web_sdp(setup => 'active'));
my $ok = $core->expect('200 INVITE');

like($ok->{body}, qr/^s=answer1\r$/m, 'SDP of the helper');
like($ok->{body}, qr!RTP/AVP!, 'for the IMS');
is($ok->h('Content-Length'), length $ok->{body}, 'Content-Length');
like($ok->h('Contact'), qr/^<sip:/, 'Contact');
is(($ng->seen('answer'))[0]{'to-tag'}, 'web1', 'to-tag');
like(join(',', $ok->list('Record-Route')), qr/\Q$own\E.*mt\@.*mo\@/,
    'Record-Route, own first');

my $far = $core->dialog($sent, $ok, 1);
my $web = $mary->dialog($invite, $answer, 0);

$core->within($far, 'ACK');
ok($mary->expect('ACK'), 'ACK');

# a 200 that the core answers again with ACK does no harm

$core->within($far, 'ACK');
IMS::Loop::pause(0.2);
ok($mary->is_open(), 'ACK again');

# re-INVITE and UPDATE from the core, INFO from the browser

$core->within($far, 'INVITE', headers => [
    'Content-Type' => 'application/sdp' ],
    body => ims_sdp(version => 2, direction => 'sendonly'));
my $re = $mary->expect('INVITE');

like($re->{body}, qr/^s=offer2\r$/m, 're-INVITE');
$mary->reply($re, 200, 'OK', headers => [ Contact => $mary->contact(),
    'Content-Type' => 'application/sdp' ], body => web_sdp(version => 3));
like($core->expect('200 INVITE')->{body}, qr/^s=answer2\r$/m, 'answered');
$core->within($far, 'ACK');
ok($mary->expect('ACK'), 'ACK to it');

$core->within($far, 'UPDATE');
my $update = $mary->expect('UPDATE');
ok($update, 'UPDATE without SDP');
$mary->reply($update, 200, 'OK', headers => [ Contact => $mary->contact() ]);
is($core->final('UPDATE')->{code}, 200, 'answered');
is(scalar $ng->seen('offer'), 2, 'helper not asked');

$mary->within($web, 'INFO');
my $info = $core->expect('INFO');
like($info->h('Route'), qr/mt\@|mo\@/, 'routes of the core kept');
unlike(join(',', $info->all('Route')), qr/\Q$own\E/, 'own Route taken away');
$core->reply($info, 200, 'OK');
is($mary->final('INFO')->{code}, 200, 'INFO answered');

# BYE of either end

is(hang_up($core, $far, $mary), 200, 'BYE from the core');
$ng->wait_for('delete');
IMS::Loop::pause(0.3);
is(scalar $ng->seen('delete'), 1, 'deleted once');

my $call = call_down($mary, $core);
is(hang_up($mary, $call->{web}, $core), 200, 'BYE from the browser');
ok($ng->wait_for('delete', 2), 'deleted');

# rejected by the browser

$sent = $core->terminating('INVITE', to => $impu, body => ims_sdp(),
    headers => [ 'Content-Type' => 'application/sdp' ]);
$invite = $mary->expect('INVITE');
$mary->reply($invite, 486, 'Busy Here');
is($mary->expect('ACK') && 1, 1, 'ACK for the browser');
$ok = $core->final('INVITE');
is($ok->{code}, 486, 'rejected');
$core->same_hop($sent, 'ACK', $ok->h('To'));
ok($ng->wait_for('delete', 3), 'deleted');

# cancelled by the core

$call = call_down($mary, $core, until => 180);
$core->same_hop($call->{sent}, 'CANCEL');
is($core->final('CANCEL')->{code}, 200, 'CANCEL answered');
my $cancel = $mary->expect('CANCEL');
is($cancel && $cancel->cseq(), $call->{seen}->cseq(), 'CANCEL');
$mary->reply($cancel, 200, 'OK');
$mary->reply($call->{seen}, 487, 'Request Terminated');
is($core->final('INVITE')->{code}, 487, 'INVITE ended');
ok($ng->wait_for('delete', 4), 'deleted');

$mary->close();
