#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A media helper that is frozen or gone: its calls end both ways with a Reason,
# those that ring with 503, within the time that the configuration says (ME-15,
# P28).

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Call qw/ call_up call_down sdp_body /;
use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IMS::SDP qw/ web_sdp /;
use Time::HiRes qw/ time /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(29);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(workers => 2, grace => '5s',
    media => 'unix:%%TESTDIR%%/ng.sock', media_lost => '900ms'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my %dave = (token => $jwt->token('dave'), instance => 'd-e-f');
my $mary = IMS::Browser->open(token => $jwt->token('mary'));
my $bob = IMS::Browser->open(token => $jwt->token('bob'));
my $carol = IMS::Browser->open(token => $jwt->token('carol'));
my $dave = IMS::Browser->open(%dave);
my $erin = IMS::Browser->open(token => $jwt->token('erin'));

$_->register() for $mary, $bob, $carol, $dave, $erin;

sub ended {
    my ($end, $title) = @_;

    my $bye = $end->expect('BYE', 6);
    is($bye && $bye->h('Reason'), 'SIP;cause=503;text="media lost"', $title);
    $end->reply($bye, 200, 'OK') if $bye;

    return $bye;
}

# a frozen one; dave has no socket at the moment

my $up = call_up($mary, $core);
my $down = call_down($bob, $core);
my $ringing = call_up($carol, $core, until => 180);
my $called = call_down($erin, $core, until => 180);
my $away = call_up($dave, $core);

$dave->drop();

my $start = time();
$ng->mode('silent');

my $web = ended($mary, 'BYE to the browser that called');
is($web && $web->h('Call-ID'), $up->{sent}->h('Call-ID'), 'of that call');
ended($bob, 'BYE to the browser that was called');

my %at_core = map { $_ => 1 } map { $_ ? $_->h('Call-ID') : '' }
    map { ended($core, "BYE to the core, $_") } 1 .. 3;

ok($at_core{$_->[1]->{sent}->h('Call-ID')}, "$_->[0] at the core")
    for [ up => $up ], [ down => $down ], [ away => $away ];

is($carol->expect('503', 5)->h('Reason'), 'SIP;cause=503;text="media lost"',
    'who rang is told');
my $cancel = $core->expect('CANCEL');
is($cancel && $cancel->h('Reason'), 'SIP;cause=503;text="media lost"',
    'CANCEL to the core');
$core->reply($cancel, 200, 'OK') if $cancel;
$core->reply($ringing->{seen}, 487, 'Request Terminated');

# and who is called and has not answered

is($core->expect('503 INVITE', 5)->h('Reason'),
    'SIP;cause=503;text="media lost"', 'the caller is told');
$cancel = $erin->expect('CANCEL');
is($cancel && $cancel->h('Reason'), 'SIP;cause=503;text="media lost"',
    'CANCEL to the browser that rings');
$erin->reply($cancel, 200, 'OK') if $cancel;
$erin->reply($called->{seen}, 487, 'Request Terminated');

cmp_ok(time() - $start, '<', 5 * $IMS::Loop::SLOW, 'within seconds');
ok($core->none('BYE'), 'once');
is(dialogs(), 0, 'no record is left');

# it is told to free them, though it says nothing

is($mary->ask('INVITE', sdp_body(web_sdp()))->{code}, 503,
    'new calls are refused at once');

$ng->mode('answer');
ok($ng->wait_for('delete', 4), 'deleted at the helper');
my %deletes;
$deletes{$_->{'call-id'}}++ for $ng->seen('delete');
is(join(' ', values %deletes), '1 1 1 1 1', 'once each');

ok(back(), 'back');

# gone, and so is its socket

$up = call_up($mary, $core);
$start = time();
$ng->down();

ended($mary, 'gone: BYE to the browser');
ended($core, 'gone: BYE to the core');
cmp_ok(time() - $start, '<', 5 * $IMS::Loop::SLOW, 'gone: within seconds');
is($mary->ask('INVITE', sdp_body(web_sdp()))->{code}, 503, 'gone: 503');
is(dialogs(), 0, 'gone: no record is left');

# everything else goes on, and so do calls with the helper

$mary->start('MESSAGE', body => 'x');
my $message = $core->expect('MESSAGE');
ok($message, 'MESSAGE works');
$core->reply($message, 200, 'OK') if $message;

$ng->up();
ok(back(), 'calls again');

like($t->read_file('error.log'), qr/media helper "unix:\S+" is dead, its/,
    'said in the log');

is(status()->{worker}{transactions} < 100, 1, 'nothing is piled up');

$_->close() for $mary, $bob, $carol, $erin;

sub back {

    for (1 .. 12) {
        $mary->start('INVITE', sdp_body(web_sdp()));
        my $invite = $core->expect('INVITE', 1) or next;
        $core->reply($invite, 486, 'Busy Here');
        my $busy = $mary->expect('486');
        $mary->forget();
        return $busy;
    }

    return 0;
}

sub dialogs { return status()->{pools}[0]{dialogs} }

sub status
{
    return IMS::Browser::api('GET', path => '/ims/status')->{json};
}
