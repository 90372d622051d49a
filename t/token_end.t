#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A token ends in mid-call: no new calls, but the running one can be ended.

use warnings;
use strict;

use FindBin;
use Test::More;

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

my $t = Test::Nginx->new()->has(qw/ http /)->plan(8);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock',
    server => 'ims_portal_jwt_leeway 0s;'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary', exp => time() + 3));

is($mary->register()->{code}, 200, 'registered');

my $call = IMS::Call::call_up($mary, $core);

# the end of the token

ok(IMS::Loop::wait_for(sub {
    grep { $_->h('Contact') =~ /;expires=0\b/ } $core->seen('REGISTER')
}, 8), 'de-registered');
is($mary->ask('MESSAGE', body => 'hi')->{code}, 403, 'nothing new');
is($mary->ask('INVITE')->{code}, 403, 'no new call');

# what belongs to the call passes

$mary->within($call->{web}, 'INFO', headers => [
    'Content-Type' => 'application/dtmf-relay' ], body => "Signal=1\r\n");

my $info = $core->expect('INFO');

ok($info, 'INFO in the call');
$core->reply($info, 200, 'OK') if $info;
$mary->final('INFO');

is(IMS::Call::hang_up($mary, $call->{web}, $core), 200, 'hung up');
ok($ng->wait_for('delete'), 'media freed');
is($mary->closed(8), 4401, 'then closed');
