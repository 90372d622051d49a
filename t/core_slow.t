#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A core that answers after seconds: nothing is done twice, by the browser's
# repetitions or the portal's, and nobody is told that it failed.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(16);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(workers => 2,
    t1 => 50 * $IMS::Loop::SLOW . 'ms', core => 'probe off;'));
$t->run();

my $core = IMS::Core->new();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));
my $bob = IMS::Browser->open(token => $jwt->token('bob'));

# REGISTER: the browser repeats its own, as it would without an answer

my $request = $mary->register_request();

$mary->emit($request->bytes()) for 1 .. 3;
my $register = $core->expect('REGISTER');
IMS::Loop::pause(0.8);
$mary->emit($request->bytes());
IMS::Loop::pause(0.5);
cmp_ok($core->{again}, '>', 2, 'REGISTER: repeated by the portal');
ok($core->none('REGISTER', 0.1), 'and not made anew');
$core->accept($register);
is($mary->final('REGISTER')->{code}, 200, 'its late answer counts');
ok($mary->none('2xx', 0.3), 'once');

# in the meantime others are served

$core->registrar();
is($bob->register()->{code}, 200, 'another browser');

# MESSAGE and its late answer

my $message = $mary->start('MESSAGE', body => 'x');
$mary->emit($message->bytes());
my $m = $core->expect('MESSAGE');
IMS::Loop::pause(0.5);
$bob->start('MESSAGE', body => 'of bob');
my $other = $core->expect('MESSAGE');
is($other && $other->{body}, 'of bob', 'nobody waits behind it');
$core->reply($other, 200, 'OK') if $other;
is($bob->final('MESSAGE')->{code}, 200, 'nor for its answer');
IMS::Loop::pause(1);
ok($core->none('MESSAGE', 0.1), 'MESSAGE: once');
$core->reply($m, 200, 'OK');
is($mary->final('MESSAGE')->{code}, 200, 'answered late');

# INVITE: 100 late, then an answer that is repeated before the ACK

my $sent = $mary->start('INVITE');
my $invite = $core->expect('INVITE');
IMS::Loop::pause(0.8);
ok($core->none('INVITE', 0.1), 'INVITE: once');
my $answer = $core->reply($invite, 200, 'OK',
    headers => [ Contact => $core->contact() ]);
$core->emit($answer->bytes(), $invite->{from}) for 1, 2;
my $ok = $mary->expect('200 INVITE');
ok($ok, 'answered late');
my $dialog = $mary->dialog($sent, $ok, 1);
$mary->within($dialog, 'ACK');
my $ack = $core->expect('ACK');
ok($ack, 'ACK');

my $status = IMS::Browser::api('GET', path => '/ims/status')->{json};
is($status->{pools}[0]{dialogs}, 1, 'one dialog');
is($status->{pools}[0]{calls}, 1, 'one call');

# BYE: answered so late that the browser has said it again

my $bye = $mary->within($dialog, 'BYE');
$m = $core->expect('BYE');
IMS::Loop::pause(1);
$mary->emit($bye->bytes());
$core->reply($m, 200, 'OK') if $m;
is($mary->final('BYE')->{code}, 200, 'BYE: answered late');
ok($core->none('BYE', 0.3), 'once');

$_->close() for $mary, $bob;
