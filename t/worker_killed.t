#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A worker is killed: its browsers come back to another, calls go on, and the
# identity stays. The one alert is nginx's own about the signal.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Call qw/ call_up call_down hang_up sdp_body /;
use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IMS::SDP qw/ web_sdp /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->todo_alerts()->plan(24);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    workers => 2, grace => '5s', pool => 'calls 3;', media => 'unix:%%TESTDIR%%/ng.sock',
    http => 'log_format pid "$pid $uri $status";',
    sip => 'access_log %%TESTDIR%%/pid.log pid;'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my %mary = (token => $jwt->token('mary'), instance => '1-2-3', host =>
    'mary.invalid');
my $mary = IMS::Browser->open(%mary);
my $impu = $mary->{impu};

is($mary->register()->{code}, 200, 'registered');

my $up = call_up($mary, $core);
my $down = call_down($mary, $core);

call_up($mary, $core, until => 180);

my ($pid) = $t->read_file('pid.log') =~ m!(\d+) /ims/sip 101\n$!;

ok(kill(9, $pid), 'killed');
is($mary->closed(), 1006, 'socket lost');

# while she is away

$core->terminating('MESSAGE', to => $impu, body => 'away');
like($core->final('MESSAGE')->{code}, qr/^4(08|30|80)$/, 'not reached');

# back on another worker

$mary = IMS::Browser->open(%mary);
is($mary->{impu}, $impu, 'same identity');
is($mary->register()->{code}, 200, 'registered from the record');

$core->terminating('MESSAGE', to => $impu, body => 'back');
my $msg = $mary->expect('MESSAGE');
is($msg->{body}, 'back', 'reached');
$mary->reply($msg, 200, 'OK');
is($core->final('MESSAGE')->{code}, 200, 'answered');

# nothing of the dead worker is counted any more

ok(IMS::Loop::wait_for(sub {
    IMS::Browser::api('GET', path => '/ims/status')
        ->{json}{pools}[0]{sockets} == 1 }, 4), 'one socket');

# nor is the call that rang, or this one would be too many

is($ng->wait_for('delete', 1), 1, 'its media is freed');
is(IMS::Browser::api('GET', path => '/ims/status')
    ->{json}{pools}[0]{dialogs}, 2, 'its record, too');

$mary->start('INVITE', sdp_body(web_sdp()));
$msg = $core->expect('INVITE');
ok($msg, 'a third call');
$core->reply($msg, 486, 'Busy Here') if $msg;
is(($mary->final('INVITE') || {})->{code}, 486, 'answered');
$ng->wait_for('delete', 2);
@{$ng->{log}} = ();

# both calls, both ways

$core->within($up->{core}, 'INFO');
$msg = $mary->expect('INFO');
ok($msg, 'INFO from the core');
$mary->reply($msg, 200, 'OK');
is($core->final('INFO')->{code}, 200, 'answered');

$mary->within($down->{web}, 'INFO');
$msg = $core->expect('INFO');
ok($msg, 'INFO from the browser');
$core->reply($msg, 200, 'OK');
is($mary->final('INFO')->{code}, 200, 'answered');

ok($core->none('BYE', 0.2), 'no BYE by the portal');
is(scalar $ng->seen('delete'), 0, 'media not touched');

is(hang_up($core, $up->{core}, $mary), 200, 'BYE from the core');
is(hang_up($mary, $down->{web}, $core), 200, 'BYE from the browser');
$ng->wait_for('delete', 2);
IMS::Loop::pause(0.2);
is(scalar $ng->seen('delete'), 2, 'media freed, each once');

my @leave = grep { $_->h('Contact') =~ /;expires=0/ } $core->seen('REGISTER');
is(scalar @leave, 0, 'never de-registered');

is(join("\n", grep { !/worker process $pid exited on signal 9/ }
    $t->read_file('error.log') =~ /\[alert\].*/g), '', 'no other alert');

$mary->close();
