#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# worker_shutdown_timeout strikes in mid-call: the browser is moved, not cut.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ call_up call_down hang_up /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(10);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    workers => 2, shutdown => '1s', grace => 3 * $IMS::Loop::SLOW . 's',
    server => 'ims_portal_drain 60s;', media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my %mary = (token => $jwt->token('mary'), instance => 'a-b-c',
    host => 'mary.invalid');
my $mary = IMS::Browser->open(%mary);
my $bob = IMS::Browser->open(token => $jwt->token('bob'));

$_->register() for $mary, $bob;

my $up = call_up($mary, $core);
my $down = call_down($mary, $core);
my $ringing = call_up($bob, $core, until => 180);

$t->reload();

is($mary->closed(8), 1012, 'told to come back in mid-call');
is($bob->closed(8), 1012, 'and while it rings');
ok($core->expect('CANCEL', 3), 'which ends that call');
$core->reply($ringing->{seen}, 487, 'Request Terminated');

$mary = IMS::Browser->open(%mary);
is($mary->register()->{code}, 200, 'back on a new worker');

is(hang_up($core, $up->{core}, $mary), 200, 'one call goes on');
is(hang_up($mary, $down->{web}, $core), 200, 'so does the other');
ok($core->none('BYE', 4 * $IMS::Loop::SLOW), 'no BYE by the portal');

$ng->wait_for('delete', 3);
is(scalar $ng->seen('delete'), 3, 'media freed, each once');

# the old workers are gone when the grace time is over

ok(IMS::Loop::wait_for(sub {
    my @gone = $t->read_file('error.log')
        =~ /worker process \d+ exited with code 0/g;

    return @gone == 2;
}, 20), 'old workers have ended');

$mary->close();
is(scalar($core->seen('BYE')), 1, 'one BYE in all');
