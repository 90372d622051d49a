#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A refresh that is refused: the far end has no UPDATE, but it is there.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Call qw/ call_at_once hang_up /;
use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my ($se, $min) = (4 * $IMS::Loop::SLOW, 2 * $IMS::Loop::SLOW);

my $t = Test::Nginx->new()->has(qw/ http /)->plan(4);

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

my $call = up([ Supported => 'timer' ], []);

IMS::Loop::pause(1.5);
$mary->within($call->{web}, 'UPDATE', headers => [ Supported => 'timer',
    'Session-Expires' => "$se;refresher=uac" ]);
my $r = $core->expect('UPDATE');
ok($r, 'refresh');
$core->reply($r, 405, 'Method Not Allowed', headers => [
    Allow => 'INVITE, ACK, BYE' ]);
is($mary->final('UPDATE')->{code}, 405, 'refused');
ok($core->none('BYE', 3.7), 'the call goes on');
is(hang_up($mary, $call->{web}, $core), 200, 'until somebody ends it');
