#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The media helper is absent, silent, full or gone: calls are refused, all
# else goes on, and calls come back with the helper.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Call qw/ call_up hang_up sdp_body /;
use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IMS::SDP qw/ web_sdp ims_sdp /;
use Time::HiRes qw/ time /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(26);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock'));
$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));

$mary->register();

sub invite {
    return $mary->ask('INVITE', sdp_body(web_sdp()), wait => 15);
}

sub message_works {
    my ($title) = @_;

    $mary->start('MESSAGE', body => 'x');
    my $r = $core->expect('MESSAGE');
    $core->reply($r, 200, 'OK') if $r;
    my $ok = $mary->final('MESSAGE');
    is($ok && $ok->{code}, 200, "$title: MESSAGE works");
}

# absent

my $start = time();

is(invite()->{code}, 503, 'absent');
cmp_ok(time() - $start, '<', 2, 'told at once');
ok($core->none('INVITE'), 'no INVITE at the core');
message_works('absent');

# from the core, too

my $sent = $core->terminating('INVITE', to => $mary->{impu},
    body => ims_sdp(), headers => [ 'Content-Type' => 'application/sdp' ]);
is($core->final('INVITE', 15)->{code}, 503, 'absent: call from the core');
ok($mary->none('INVITE'), 'no INVITE at the browser');

# there

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');
my $ok;

for (1 .. 12) {
    $mary->start('INVITE', sdp_body(web_sdp()));
    last if $ok = $core->expect('INVITE', 1);
}

ok($ok, 'calls work once the helper is there');
$core->reply($ok, 486, 'Busy Here');
is($mary->expect('486')->{code}, 486, 'as ever');
$mary->forget();

# full, and other errors

$ng->mode('error', 'Ran out of ports');
is(invite()->{code}, 503, 'out of ports');
$ng->mode('error', 'Parallel session limit reached');
is(invite()->{code}, 503, 'session limit');
$ng->mode('error', 'Incomplete SDP specification');
is(invite()->{code}, 488, 'bad SDP');
ok($core->none('INVITE'), 'no INVITE at the core');
message_works('errors');

# an error for the answer ends the call at the core

$ng->mode('answer');
$mary->start('INVITE', sdp_body(web_sdp()));
my $invite = $core->expect('INVITE');
$ng->mode('error', 'Unknown call-id');
$core->reply($invite, 200, 'OK', headers => [ Contact => $core->contact(),
    'Content-Type' => 'application/sdp' ], body => ims_sdp());

ok($core->expect('ACK'), 'error for the answer: ACK');
my $bye = $core->expect('BYE');
ok($bye, 'and BYE to the core');
$core->reply($bye, 200, 'OK');
like($mary->final('INVITE')->{code}, qr/^(488|5\d\d)$/, 'browser told');

# slow: order is kept, others are not held up

$ng->mode('hold');
$mary->start('INVITE', sdp_body(web_sdp()));
ok($core->none('INVITE', 0.5), 'INVITE waits for the helper');
$ng->release();
$invite = $core->expect('INVITE');
ok($invite, 'INVITE goes on');
$core->reply($invite, 486, 'Busy Here');
$mary->final('INVITE');

# silent

my $bob = IMS::Browser->open(token => $jwt->token('bob'));
is($bob->register()->{code}, 200, 'bob');

$ng->mode('silent');
$start = time();
$mary->start('INVITE', sdp_body(web_sdp()));
$bob->start('MESSAGE', body => 'x');
my $r = $core->expect('MESSAGE', 1);
ok($r, 'silent: MESSAGE of another is not held up');
$core->reply($r, 200, 'OK');
is($mary->final('INVITE', 15)->{code}, 503, 'silent');
cmp_ok(time() - $start, '<', 12, 'in time');

# gone in the call: it goes on or ends, and the next is refused

$ng->mode('answer');

my $call;

for (1 .. 12) {
    last if $call = eval { call_up($mary, $core) };
    $mary->final('INVITE', 1);
}

ok($call, 'calls again');
$mary->forget();
$ng->down();
is(invite()->{code}, 503, 'gone: next call');
message_works('gone');
is(hang_up($mary, $call->{web}, $core), 200, 'gone: BYE');

$_->close() for $mary, $bob;
