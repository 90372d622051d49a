#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A browser that is gone without a word, as after its host was cut off: its
# socket stays open and takes what is sent. Pings without an answer find it, and
# it is ended like any other that was lost.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ call_up /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use Test::Nginx;
use Time::HiRes qw/ time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(9);

my $jwt = IMS::JWT->new($t);
my $slow = $IMS::Loop::SLOW;

$t->write_file_expand('nginx.conf', ims_conf(
    server => "ims_portal_ping ${slow}s misses=1;", grace => 2 * $slow . 's',
    media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));

sub pool { return IMS::Browser::api('GET', path => '/ims/status')
    ->{json}{pools}[0] }

$mary->register();
my $call = call_up($mary, $core);

IMS::Loop::pause(2.5);
ok($mary->is_open(), 'who answers pings stays');

# from here on nothing is read any more, and nothing answered

IMS::Loop::del($mary);
my $began = time();

$core->within($call->{core}, 'INFO', body => 'x' x 8000) for 1 .. 50;

ok(IMS::Loop::wait_for(sub { !pool()->{sockets} }, 6), 'found');
cmp_ok(time() - $began, '<', 3.7 * $slow, 'by unanswered pings');
is(pool()->{bindings}, 1, 'it may come back');
$core->forget();
my $bye = $core->expect('BYE', 6);
ok($bye, 'grace time over: BYE');
$core->reply($bye, 200, 'OK') if $bye;
cmp_ok(time() - $began, '>=', 3.9 * $slow, 'not before');
ok(IMS::Loop::wait_for(sub { !pool()->{bindings} }, 5), 'none is left');
is(scalar(grep { $_->h('Contact') =~ /;expires=0/ } $core->seen('REGISTER')),
    1, 'de-registered');
is($ng->wait_for('delete', 1), 1, 'media freed');
