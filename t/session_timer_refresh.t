#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Neither end knows session timers (RFC 4028): the portal asks the far end by
# UPDATE, in the name of the browser.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ call_at_once /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::NG;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(9);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock',
    server => 'ims_portal_session_timer 4s min=2s;'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));
my $impu = $mary->{impu};

$mary->register();

sub up { return call_at_once($mary, $core, @_) }

# nobody knows them, but the far end has UPDATE: the portal asks it

my $call = up([], [ Allow => 'INVITE, ACK, BYE, UPDATE' ]);
is($call->{ok}->h('Session-Expires'), undef, 'nothing for the browser');

my $r = $core->expect('UPDATE', 4);
is($r->h('Session-Expires'), '4;refresher=uac', 'UPDATE of the portal');
is($r->h('From'), $call->{seen}->h('From'), 'in the name of the browser');
cmp_ok($r->cseq(), '>', $call->{seen}->cseq(), 'its CSeq');
is($r->tag('To'), $call->{ok}->tag('To'), 'in the dialog');
$core->reply($r, 200, 'OK', headers => [ Contact => $core->contact(),
    'Session-Expires' => '4;refresher=uac' ]);
ok($mary->none('UPDATE'), 'none of it at the browser');

my $cseq = $r->cseq();

$mary->within($call->{web}, 'INFO');
$r = $core->expect('INFO');
is($r->cseq(), $cseq + 1, 'the CSeq of the browser moved on');
$core->reply($r, 200, 'OK');
is($mary->final('INFO')->h('CSeq'), $call->{web}{cseq} . ' INFO',
    'and back again');

# the far end has lost the call

$r = $core->expect('UPDATE', 4);
$core->reply($r, 481, 'No');
$r = $mary->expect('BYE');
ok($r, '481: BYE to the browser');
$mary->reply($r, 200, 'OK');
