#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Session timers (RFC 4028): who asks, who refreshes, and what ends a call that
# nobody refreshes.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Call qw/ call_at_once call_down call_up hang_up sdp_body /;
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

my ($se, $min) = (4 * $IMS::Loop::SLOW, 2 * $IMS::Loop::SLOW);

my $t = Test::Nginx->new()->has(qw/ http /)->plan(31);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock',
    server => "ims_portal_session_timer ${se}s min=${min}s;"));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));
my $impu = $mary->{impu};

$mary->register();

sub up { return call_at_once($mary, $core, @_) }

# the browser knows session timers, the far end does not

my $call = up([ Supported => 'timer' ], []);

is($call->{seen}->h('Session-Expires'), $se, 'asked for');
is($call->{seen}->h('Min-SE'), undef, 'Min-SE is the business of who asks');
like($call->{ok}->h('Session-Expires'), qr/^$se;refresher=uac$/,
    'the browser refreshes');
is($call->{ok}->h('Require'), 'timer', 'Require');

# it does, and the call goes on; then it does not

IMS::Loop::pause(1.5);
$mary->within($call->{web}, 'UPDATE', headers => [ Supported => 'timer',
    'Session-Expires' => "$se;refresher=uac" ]);
my $r = $core->expect('UPDATE');
is($r->h('Session-Expires'), "$se;refresher=uac", 'refresh untouched');
$core->reply($r, 200, 'OK', headers => [ Contact => $core->contact(),
    Supported => 'timer', 'Session-Expires' => "$se;refresher=uac" ]);
is($mary->final('UPDATE')->{code}, 200, 'refreshed');

ok($core->none('BYE', 3.7), 'goes on behind its first end');
$r = $core->expect('BYE', 4);
like($r->h('Reason') || '', qr/cause=408/, 'BYE up when nobody refreshed');
$core->reply($r, 200, 'OK');
$r = $mary->expect('BYE');
like($r->h('Reason') || '', qr/session expired/, 'and down');
$mary->reply($r, 200, 'OK');
$ng->wait_for('delete');
is(scalar $ng->seen('delete'), 1, 'media freed');
$core->within($call->{core}, 'INFO');
is($core->final('INFO')->{code}, 481, 'record freed');

# both know them: what they agree on is theirs

$call = up([ Supported => 'timer', 'Session-Expires' => '300' ],
    [ Require => 'timer', 'Session-Expires' => '300;refresher=uas' ]);
is($call->{seen}->h('Session-Expires'), 300, 'as the browser asked');
is($call->{ok}->h('Session-Expires'), '300;refresher=uas',
    'as the far end answered');
is(join('|', $call->{ok}->all('Require')), 'timer', 'no other Require');
is(hang_up($mary, $call->{web}, $core), 200, 'BYE');

# the far end alone: it refreshes

$call = up([], [ 'Session-Expires' => "$min;refresher=uas" ]);
is($call->{seen}->h('Session-Expires'), $se, 'asked for by the portal');
is($call->{seen}->h('Min-SE'), $min, 'Min-SE for who does not know it');
is($call->{ok}->h('Session-Expires'), "$min;refresher=uas", 'answer passed on');
ok($core->expect('BYE', 4), 'which it then does not');
$mary->expect('BYE');
$core->forget();
$mary->forget();

# too little

$mary->start('INVITE', headers => [ 'Content-Type' => 'application/sdp',
    Supported => 'timer', 'Session-Expires' => 1 ], body => web_sdp());
$r = $mary->final('INVITE');
is($r->{code}, 422, 'less than the minimum');
is($r->h('Min-SE'), $min, 'Min-SE');

my $sent = $core->terminating('INVITE', to => $impu, body => ims_sdp(),
    headers => [ 'Content-Type' => 'application/sdp', Supported => 'timer',
        'Session-Expires' => 1, 'Min-SE' => 1 ]);
$r = $core->final('INVITE');
is($r->{code}, 422, 'from the core, too');
is($r->h('Min-SE'), $min, 'Min-SE to the core');
$core->same_hop($sent, 'ACK', $r->h('To'));
ok($mary->none('INVITE'), 'none of it at the browser');

# who would not understand a 422 gets the minimum

$sent = $core->terminating('INVITE', to => $impu, body => ims_sdp(),
    headers => [ 'Content-Type' => 'application/sdp',
        'Session-Expires' => 1 ]);
$r = $mary->expect('INVITE');
is($r->h('Session-Expires'), $min, 'raised');
is($r->h('Min-SE'), $min, 'Min-SE added');
$mary->reply($r, 486, 'Busy Here');
$r = $core->final('INVITE');
is($r->{code}, 486, 'passed on');
$core->same_hop($sent, 'ACK', $r->h('To'));

# a call from the core, answered by a browser without timers

$call = call_down($mary, $core, headers => [ Supported => 'timer' ]);
is($call->{seen}->h('Session-Expires'), $se, 'asked for, down');
is($call->{ok}->h('Session-Expires'), "$se;refresher=uac",
    'the core refreshes');
ok($call->{ok}->h('Require'), 'and is told to');
is(hang_up($core, $call->{core}, $mary), 200, 'BYE of the core');
