#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A reload in mid-call, and the browser's socket is lost at the old worker: the
# call goes on at a new one, with what came meanwhile. An old worker that keeps
# requests for a browser goes when worker_shutdown_timeout strikes.

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
use IMS::Outlive qw/ goes_on worker_of vanish /;
use IMS::SDP qw/ ims_sdp /;
use Test::Nginx;
use Time::HiRes qw/ time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(17);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    shutdown => 2 * $IMS::Loop::SLOW . 's',
    media => 'unix:%%TESTDIR%%/ng.sock', grace => 30 * $IMS::Loop::SLOW . 's',
    http => 'log_format pid "$pid $uri $status";',
    sip => 'access_log %%TESTDIR%%/pid.log pid;'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my %mary = (token => $jwt->token('mary'), instance => '1-2-3',
    host => 'mary.invalid');
my $mary = IMS::Browser->open(%mary);

is($mary->register()->{code}, 200, 'registered');

my $pid = worker_of($t);
my $up = call_up($mary, $core);
my $down = call_down($mary, $core);

sub reloaded {
    my $before = () = $t->read_file('error.log') =~ /gracefully shutting down/g;

    $t->reload();
    IMS::Loop::wait_for(sub { $before < (() = $t->read_file('error.log')
        =~ /gracefully shutting down/g) }, 5);
}

sub gone {
    my ($worker) = @_;

    return IMS::Loop::wait_for(sub { !kill 0, $worker }, 8);
}

# lost at the old worker, back at a new one

reloaded();
ok($mary->is_open(), 'she stays while she is in a call');
my $sent = $mary->within($up->{web}, 'INFO', body => 'old');
my $seen = $core->expect('INFO');
ok($seen, 'and calls go on');
$core->reply($seen, 200, 'OK');
is($mary->final('INFO')->{code}, 200, 'both ways');

vanish($t, $mary);
$core->within($up->{core}, 'INFO', body => 'away');
$core->within($down->{core}, 'INVITE', sdp_body(ims_sdp(version => 2)));
$core->expect('100');
$mary = IMS::Browser->open(%mary);
is($mary->register()->{code}, 200, 'back');
isnt(worker_of($t), $pid, 'at a new worker');

my $info = $mary->expect('INFO');
is($info->{body}, 'away', 'what came meanwhile, INFO');
$mary->reply($info, 200, 'OK');
is($core->final('INFO')->{code}, 200, 'answered');
my $invite = $mary->expect('INVITE');
ok($invite, 'and re-INVITE');
$mary->reply($invite, 488, 'Not Acceptable Here');
is($core->final('INVITE')->{code}, 488, 'answered');

is(goes_on($mary, $core, $up), '', 'the call up goes on');
is(goes_on($mary, $core, $down), '', 'the call down goes on');
ok(gone($pid), 'the old worker is gone');

# a worker that keeps a request for her when it has to go

$pid = worker_of($t);
vanish($t, $mary);
$core->within($down->{core}, 'INVITE', sdp_body(ims_sdp(version => 3)));
$core->expect('100');
reloaded();
my $since = time();
is($core->final('INVITE', 6)->{code}, 480, 'it answers before it goes');
cmp_ok(time() - $since, '<', 5 * $IMS::Loop::SLOW, 'when its time is over');
ok(gone($pid), 'and goes');

# the call is still hers

$mary = IMS::Browser->open(%mary);
$mary->register();
is(join('', hang_up($core, $up->{core}, $mary),
    hang_up($mary, $down->{web}, $core)), '200200', 'hung up both ways');

# a sub holds it: the two tests of its own come now, not too late

undef $t;
