#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A server of the core is silent: requests that it does not answer go to the
# next one, later ones at once; what it says too late is of no account.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ hang_up sdp_body /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IMS::SDP qw/ ims_sdp web_sdp /;
use Time::HiRes qw/ time /;
use Test::Nginx qw/ port /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(35);

my $jwt = IMS::JWT->new($t);
my $wait = 0.4 * $IMS::Loop::SLOW;

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock', t1 => '50ms',
    server_ims => '127.0.0.1:%%PORT_8981_UDP%% fail_timeout=1s',
    core => 'server 127.0.0.1:%%PORT_8982_UDP%% fail_timeout=1s; probe off;
        reregister off;
        timeout ' . 1000 * $wait . 'ms;'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $one = IMS::Core->new();
my $two = IMS::Core->new(port => port(8982, udp => 1))->registrar();
my ($mary, $bob) = map { IMS::Browser->open(token => $jwt->token($_)) }
    qw/ mary bob /;

sub took {
    my ($code) = @_;
    my $start = time();

    $code->();

    return time() - $start;
}

# REGISTER

cmp_ok(took(sub { is($mary->register()->{code}, 200, 'registered') }), '<',
    $wait + 0.5 * $IMS::Loop::SLOW, 'soon');

is(scalar $one->seen('REGISTER'), 1, 'the first was asked');
is(scalar $two->seen('REGISTER'), 1, 'then the second');
my ($first, $second) = (($one->seen('REGISTER'))[0],
    ($two->seen('REGISTER'))[0]);
isnt($first->branch(), $second->branch(), 'a branch of its own');
cmp_ok($second->cseq(), '>', $first->cseq(), 'and a CSeq');

like($t->read_file('error.log'), qr/server "\S+:$one->{port}" .*not answer/,
    'logged');

# a late answer of the first changes nothing

$one->accept($first);
IMS::Loop::pause(0.2);
ok($mary->none('REGISTER', 0), 'a late answer');

cmp_ok(took(sub { $bob->register() }), '<', 0.1 * $IMS::Loop::SLOW,
    'nobody else waits');

# INVITE: the route leads to the second, which is silent now; the first is
# taken for good again after a while

IMS::Loop::pause(2.2);
$one->registrar();
$two->{on} = {};
$_->forget() for $one, $two;

my $sent = $mary->start('INVITE', sdp_body(web_sdp()));
my $lost = $two->expect('INVITE');
my $seen;

cmp_ok(took(sub { $seen = $one->expect('INVITE') }), '<',
    $wait + 0.5 * $IMS::Loop::SLOW, 'INVITE at the other server');
isnt($seen->branch(), $lost->branch(), 'a branch of its own');
is($seen->h('Call-ID'), $lost->h('Call-ID'), 'the same Call-ID');
is($seen->h('Route'), $lost->h('Route'), 'the same route');
is($seen->{body}, $lost->{body}, 'the same body');

$one->reply($seen, 180, 'Ringing', headers => [ Contact => $one->contact() ]);
ok($mary->expect('180'), 'ringing');

# the first one has accepted the call, too

my @answer = (headers => [ Contact => $two->contact(),
    'Content-Type' => 'application/sdp' ], body => ims_sdp());
my $late = $two->reply($lost, 200, 'OK', @answer);

my $ack = $two->expect('ACK');
is($ack->tag('To'), $late->tag('To'), 'the late 200 gets its ACK');
my $bye = $two->expect('BYE');
is($bye->tag('To'), $late->tag('To'), 'and BYE');
$two->reply($bye, 200, 'OK');
ok($mary->none('200', 0.1), 'the browser sees nothing of it');

$answer[1] = [ Contact => $one->contact(),
    'Content-Type' => 'application/sdp' ];
my $answer = $one->reply($seen, 200, 'OK', @answer);
my $ok = $mary->expect('200 INVITE');
is($ok->tag('To'), $answer->tag('To'), 'the answer of the other');

my $web = $mary->dialog($sent, $ok, 1);
$mary->within($web, 'ACK');
ok($one->expect('ACK'), 'ACK');
is(hang_up($mary, $web, $one), 200, 'BYE');
ok($two->none('BYE', 0.1), 'one BYE');

# the other way: it has rung late, and is canceled

$_->forget() for $one, $two, $mary;

$sent = $mary->start('INVITE', sdp_body(web_sdp()));
$lost = $two->expect('INVITE');
$seen = $one->expect('INVITE');
$two->reply($lost, 180, 'Ringing');

my $cancel = $two->expect('CANCEL');
is($cancel->branch(), $lost->branch(), 'a late 180 gets a CANCEL');
$two->reply($cancel, 200, 'OK');
$two->reply($lost, 487, 'Request Terminated');
ok($two->expect('ACK'), 'and its 487 an ACK');
ok($mary->none('180', 0.1), 'which the browser does not see');

$one->reply($seen, 486, 'Busy Here');
is($mary->final('INVITE')->{code}, 486, 'but the answer of the other');

# 503, with Retry-After

$_->forget() for $one, $two, $mary;

$mary->start('MESSAGE', body => 'x');
$two->reply($two->expect('MESSAGE'), 503, 'Busy',
    headers => [ 'Retry-After' => '20 (a while);duration=60' ]);

cmp_ok(took(sub { $seen = $one->expect('MESSAGE') }), '<',
    0.1 * $IMS::Loop::SLOW, '503: the other server at once');
$one->reply($seen, 200, 'OK');
is($mary->final('MESSAGE')->{code}, 200, 'which answers');

$mary->start('MESSAGE', body => 'y');
ok($seen = $one->expect('MESSAGE'), 'the first one has a rest');
$one->reply($seen, 200, 'OK');
$mary->final('MESSAGE');
ok($two->none('MESSAGE', 0), 'and hears nothing');

# none is left

$bob->start('MESSAGE', body => 'z');
$one->reply($one->expect('MESSAGE'), 503, 'Busy');
my $r = $bob->final('MESSAGE');
like($r->{code}, qr/^50[03]$/, 'both are busy');

IMS::Loop::pause(2.2);
$bob->start('MESSAGE', body => 'z');
$one->expect('MESSAGE');
is($bob->final('MESSAGE', 8)->{code}, 408, 'silence at last');
is(scalar(grep { $_->{body} eq 'z' } $two->seen('MESSAGE')), 0,
    'the one that rests was not asked');

my $status = IMS::Browser::api('GET', path => '/ims/status');
is($status->{json}{pools}[0]{dialogs}, 0, 'no dialog is left');

ok(IMS::Loop::wait_for(sub { $ng->seen('delete') >= 2 }, 3), 'media freed');

$_->close() for $mary, $bob;
