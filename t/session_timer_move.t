#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The clock of a call goes with its browser: to another socket, and to another
# worker (design D4).

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
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(9);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock', grace => '5s', shutdown => '20s',
    server => 'ims_portal_session_timer 4s min=2s;'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my %mary = (token => $jwt->token('mary'), instance => '1-2-3');
my $mary = IMS::Browser->open(%mary);

$mary->register();

my $sent = $mary->start('INVITE', sdp_body(web_sdp()));
my $seen = $core->expect('INVITE');
my $answer = $core->reply($seen, 200, 'OK', headers => [
    Contact => $core->contact(), 'Content-Type' => 'application/sdp',
    Allow => 'INVITE, ACK, BYE, UPDATE' ], body => ims_sdp());
my $web = $mary->dialog($sent, $mary->expect('200 INVITE'), 1);

$mary->within($web, 'ACK');
$core->expect('ACK');

# the socket is lost, and another one is there before the refresh

sub refreshed {
    my ($title) = @_;

    my $r = $core->expect('UPDATE', 4);
    ok($r, $title);
    $core->reply($r, 200, 'OK', headers => [ Contact => $core->contact(),
        'Session-Expires' => '4;refresher=uac' ]);

    return $r;
}

$mary->drop();
$mary = IMS::Browser->open(%mary);
is($mary->register()->{code}, 200, 'back on another socket');
my $first = refreshed('refreshed from there');

# another generation of workers

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock', grace => '5s', shutdown => '20s',
    server => 'ims_portal_session_timer 4s min=2s; # new'));
$t->reload();
IMS::Loop::pause(0.5);

my $next = IMS::Browser->open(%mary);
is($next->register()->{code}, 200, 'at another worker');
my $second = refreshed('refreshed by that one');
is($second->cseq(), $first->cseq() + 1, 'counting on');
ok($core->none('UPDATE', 0.6), 'and by that one alone');

# the end: nobody answers any more

$core->{on}{UPDATE} = sub { };
my $bye = $core->expect('BYE', 8);
ok($bye, 'BYE up when it ran out');
ok($next->expect('BYE'), 'and down');
ok(IMS::Loop::wait_for(sub { $ng->seen('delete') }, 2), 'media freed');
