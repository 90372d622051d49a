#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A reload while a call goes on: the end of the token is that of the old worker
# now, and its time is kept; so is that of a browser which moved to a new one.

use warnings;
use strict;

use FindBin;
use Test::More;
use Time::HiRes ();

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(12);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock',
    shutdown => '30s',
    server => 'ims_portal_jwt_leeway 0s; ims_portal_token_end finish 2s; '
        . 'ims_portal_drain 100ms;'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $exp = time() + 4;
my $token = $jwt->token('bob', exp => $exp);
my $mary = IMS::Browser->open(token => $jwt->token('mary', exp => $exp));
my $bob = IMS::Browser->open(token => $token);

is($_->register()->{code}, 200, 'registered') for $mary, $bob;

my $call = IMS::Call::call_up($mary, $core);

$t->reload();

is($bob->closed(3), 1012, 'an idle browser is moved');

my $moved = IMS::Browser->open(token => $token,
    instance => $bob->{instance});

is($moved->register()->{code}, 200, 'to the new worker');

is($moved->closed(6), 4401, 'where its token ends');
cmp_ok(Time::HiRes::time() - $exp, '>=', 0, 'not earlier');
ok($mary->is_open(), 'the call goes on in the old one');

my $bye = $mary->expect('BYE', 6);

ok($bye, 'until its time is over');
cmp_ok(abs(Time::HiRes::time() - $exp - 2), '<', 1, 'and no longer');
$mary->reply($bye, 200, 'OK') if $bye;

my $up = $core->expect('BYE', 3);

ok($up, 'BYE at the core');
$core->reply($up, 200, 'OK') if $up;
is($mary->closed(3), 4401, 'then closed');
ok($ng->wait_for('delete'), 'media freed');
