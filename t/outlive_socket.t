#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A browser drops its socket in mid-call and comes back to the same worker: the
# call goes on both ways, new calls reach it, and the helper hears of the end
# only. It does not come back, or leaves: BYE, with a Reason.

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
use IMS::Outlive qw/ goes_on vanish /;
use Test::Nginx;
use Time::HiRes qw/ time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(22);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock', grace => 2 * $IMS::Loop::SLOW . 's'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my %mary = (token => $jwt->token('mary'), instance => '1-2-3',
    host => 'mary.invalid');
my $mary = IMS::Browser->open(%mary);

is($mary->register()->{code}, 200, 'registered');

my $up = call_up($mary, $core);
my $down = call_down($mary, $core);

# lost, and back

vanish($t, $mary);
$mary = IMS::Browser->open(%mary);
is($mary->register()->{code}, 200, 'back');

is(goes_on($mary, $core, $up), '', 'the call up goes on');
is(goes_on($mary, $core, $down), '', 'the call down goes on');

my $new = call_down($mary, $core);
is(hang_up($core, $new->{core}, $mary), 200, 'a new call down');
is($ng->wait_for('delete', 1), 1, 'its media freed');

is(hang_up($mary, $up->{web}, $core), 200, 'BYE up');
is(hang_up($core, $down->{core}, $mary), 200, 'BYE down');
$ng->wait_for('delete', 3);
IMS::Loop::pause(0.3);
is(scalar $ng->seen('delete'), 3, 'media freed, each once');

# a second socket while the first is still there

$up = call_up($mary, $core);
my $old = $mary;
$mary = IMS::Browser->open(%mary);
is($mary->register()->{code}, 200, 'moved');
is($old->closed(), 4409, 'the former socket is told');
is(goes_on($mary, $core, $up), '', 'the call goes on at the new one');

# a page that says that it changes its socket

$mary->close(4408);
ok($core->none('BYE', 0.3), 'close 4408: no BYE');
$mary = IMS::Browser->open(%mary);
is($mary->register()->{code}, 200, 'back');
is(goes_on($mary, $core, $up), '', 'the call goes on');

# lost for good

@{$core->{all}} = ();
$mary->drop();
my $bye = $core->expect('BYE', 5);
like($bye->h('Reason'), qr/browser is gone/, 'BYE with a Reason');
$core->reply($bye, 200, 'OK');
is($ng->wait_for('delete', 4), 1, 'media freed');

# a close frame

$mary = IMS::Browser->open(%mary);
$mary->register();
$up = call_up($mary, $core);
my $since = time();
$mary->close(1001);
$bye = $core->expect('BYE', 2);
like($bye->h('Reason'), qr/browser left/, 'a page that goes: BYE');
cmp_ok(time() - $since, '<', 0.3 * $IMS::Loop::SLOW, 'at once');
$core->reply($bye, 200, 'OK');
is($ng->wait_for('delete', 5), 1, 'media freed');
IMS::Loop::pause(0.3);
is(scalar $ng->seen('delete'), 5, 'each once');

my @gone = IMS::Loop::wait_for(sub {
    grep { $_->h('Contact') =~ /;expires=0/ } $core->seen('REGISTER') }, 6);
ok(@gone, 'de-registered');
