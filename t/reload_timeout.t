#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# worker_shutdown_timeout strikes in mid-call: the browser is moved, not cut, and
# the old worker is gone soon, whatever it has not been answered.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ call_up call_down hang_up sdp_body /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IMS::SDP qw/ web_sdp /;
use Test::Nginx;
use Time::HiRes qw/ time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(12);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    workers => 2, shutdown => '2s', grace => 30 * $IMS::Loop::SLOW . 's',
    t1 => 500 * $IMS::Loop::SLOW . 'ms',
    http => 'ims_portal_media_timeout 30s;',
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

# what would last for 64 times T1, and a helper that does not answer

$mary->start('MESSAGE', body => 'no answer');
my $unanswered = $core->expect('MESSAGE');
ok($unanswered, 'a request that the core leaves unanswered');
my $eve = IMS::Browser->open(token => $jwt->token('eve'));
$eve->register();
$ng->mode('hold');
$eve->start('INVITE', sdp_body(web_sdp()));
ok(IMS::Loop::wait_for(sub { @{$ng->{held}} }, 3), 'a command, too');

my $began = time();
my $gone;

$t->reload();

is($mary->closed(8), 1012, 'told to come back in mid-call');
is($bob->closed(8), 1012, 'and while it rings');
ok($core->expect('CANCEL', 3), 'which ends that call');
$core->reply($ringing->{seen}, 487, 'Request Terminated');

$ng->release();
$mary = IMS::Browser->open(%mary);
is($mary->register()->{code}, 200, 'back on a new worker');

is(hang_up($core, $up->{core}, $mary), 200, 'one call goes on');
is(hang_up($mary, $down->{web}, $core), 200, 'so does the other');
ok($ng->wait_for('delete', 3), 'their media is freed');

ok(IMS::Loop::wait_for(sub {
    my @gone = $t->read_file('error.log')
        =~ /worker process \d+ exited with code 0/g;

    $gone ||= time() if @gone == 2;
    return @gone == 2;
}, 20), 'old workers have ended');
cmp_ok(($gone || 1e9) - $began, '<', 2 + 2.5 * $IMS::Loop::SLOW, 'in time');

$mary->close();
is(scalar($core->seen('BYE')), 1, 'one BYE in all');
