#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Reload in mid-call: the dialog goes on both ways; idle browsers are sent to
# the new worker and keep their identity.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Call qw/ call_up call_down hang_up /;
use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IMS::SDP qw/ ims_sdp web_sdp /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(22);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    workers => 2, shutdown => '60s', server => 'ims_portal_drain 1s;',
    media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my %mary = (token => $jwt->token('mary'), instance => 'a-b-c');
my %bob = (token => $jwt->token('bob'), instance => 'd-e-f');
my $mary = IMS::Browser->open(%mary);
my $bob = IMS::Browser->open(%bob);
my $dave = IMS::Browser->open(token => $jwt->token('dave'));

$_->register() for $mary, $bob, $dave;

my $up = call_up($mary, $core);
my $down = call_down($bob, $core);

$t->reload();

for (1 .. 100) {
    last if $t->read_file('error.log') =~ /gracefully shutting down/;
    IMS::Loop::pause(0.05);
}

# idle: told to come back, with a code that says why

is($dave->closed(5), 1012, 'idle browser told to come back');

my $impu = $dave->{impu};
$dave = IMS::Browser->open(token => $jwt->token('dave'),
    instance => $dave->{instance});
is($dave->{impu}, $impu, 'same identity');
is($dave->register()->{code}, 200, 'registered');

$core->terminating('MESSAGE', to => $impu, body => 'new');
my $msg = $dave->expect('MESSAGE');
is($msg && $msg->{body}, 'new', 'reached at the new worker');
$dave->reply($msg, 200, 'OK') if $msg;
is($core->final('MESSAGE')->{code}, 200, 'answered');

# in a call: not touched

ok($mary->is_open(), 'mary still there');
ok($bob->is_open(), 'bob still there');

$core->within($up->{core}, 'INFO', body => 'a');
$msg = $mary->expect('INFO');
ok($msg, 'INFO from the core after the reload');
$mary->reply($msg, 200, 'OK') if $msg;
is($core->final('INFO')->{code}, 200, 'answered');

$mary->within($up->{web}, 'INFO', body => 'b');
$msg = $core->expect('INFO');
ok($msg, 'INFO from the browser after the reload');
$core->reply($msg, 200, 'OK') if $msg;
is($mary->final('INFO')->{code}, 200, 'answered');

# re-INVITE needs the helper, too

$core->within($down->{core}, 'INVITE', headers => [
    'Content-Type' => 'application/sdp' ], body => ims_sdp(version => 2));
$msg = $bob->expect('INVITE');
like($msg && $msg->{body}, qr/SAVPF/, 're-INVITE after the reload');
$bob->reply($msg, 200, 'OK', headers => [ Contact => $bob->contact(),
    'Content-Type' => 'application/sdp' ], body => web_sdp(version => 3));
ok($core->expect('200 INVITE'), 'answered');
$core->within($down->{core}, 'ACK');
ok($bob->expect('ACK'), 'ACK');

# new requests reach who is still at the old worker

$core->terminating('MESSAGE', to => $mary->{impu}, body => 'old');
$msg = $mary->expect('MESSAGE');
is($msg && $msg->{body}, 'old', 'reached at the old worker');
$mary->reply($msg, 200, 'OK') if $msg;
is($core->final('MESSAGE')->{code}, 200, 'answered');

# new calls of others meanwhile

my $call = call_up($dave, $core);
is(hang_up($dave, $call->{web}, $core), 200, 'call on the new worker');

# the calls end, and with them the old workers

is(hang_up($core, $up->{core}, $mary), 200, 'BYE from the core');
is(hang_up($bob, $down->{web}, $core), 200, 'BYE from the browser');
is($ng->wait_for('delete', 3), 1, 'all deleted');
like(($mary->closed(5) || 0) . ' ' . ($bob->closed(5) || 0),
    qr/^1012 1012$/, 'then told to come back');

my $exits = 0;

for (1 .. 100) {
    $exits = () = $t->read_file('error.log')
        =~ /worker process \d+ exited with code 0/g;
    last if $exits >= 2;
    IMS::Loop::pause(0.1);
}

is($exits, 2, 'old workers gone');

$dave->close();
