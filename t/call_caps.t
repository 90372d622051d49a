#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Limits of a user against toll fraud: calls at once, calls in an hour.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ sdp_body /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IMS::SDP qw/ web_sdp ims_sdp /;
use Test::Nginx qw/ port /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(27);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    workers => 2,
    media => 'unix:%%TESTDIR%%/ng.sock',
    core => 'dial_plan country=49 trunk=0; premium +4990 +49180;',
    pool => 'calls 2; calls_per_hour 6; premium_per_hour 2;'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();

sub open_as {
    my ($user) = @_;

    my $web = IMS::Browser->open(token => $jwt->token($user));
    $web->register();

    return $web;
}

# rings at two telephones of the called

sub rings {
    my ($web, $to) = @_;

    $web->start('INVITE', sdp_body(web_sdp()),
        to => $to || 'sip:bob@ims.operator.example');

    my $seen = $core->expect('INVITE');

    $core->reply($seen, 180, 'Ringing', tag => $_, headers => [
        Contact => $core->contact() ]) for qw/ one two /;
    $web->expect('180');

    return $seen;
}

sub busy {
    my ($web, $seen) = @_;

    $core->reply($seen, 486, 'Busy Here');
    $web->final('INVITE');
    $core->expect('ACK');
}

sub refused {
    my ($web, $code, $words, $title, $to) = @_;

    my $r = $web->ask('INVITE', sdp_body(web_sdp()),
        to => $to || 'sip:bob@ims.operator.example');

    is($r->{code}, $code, $title);
    like($r->h('Warning'), qr/^399 portal "$words"$/, $words);

    return $r;
}

# two at once, over two browsers

my $mary = open_as('mary');
my $also = open_as('mary');

my $first = IMS::Call::call_up($mary, $core);
my $second = rings($also);

refused($mary, 403, 'too many calls at once', 'a third');
refused($also, 403, 'too many calls at once', 'from the other, too');

my $in = IMS::Call::call_down($also, $core);
is(IMS::Call::hang_up($core, $in->{core}, $also), 200, 'a call that comes');

busy($also, $second);
my $third = rings($mary);
ok($third, 'the next when one has ended');

# what rings ends with the socket, what is up with the grace time

$mary->drop();
ok($core->expect('CANCEL', 2), 'socket lost');
$core->reply($third, 487, 'Request Terminated');
$core->expect('ACK', 2);

my $fourth = rings($also);
ok($fourth, 'room again');
refused($also, 403, 'too many calls at once', 'the other is up yet');
ok($core->expect('BYE', 3), 'grace time over');
busy($also, $fourth);

# six in an hour

busy($also, rings($also)) for 1 .. 2;

my $r = refused($also, 480, 'too many calls in an hour', 'a seventh');

cmp_ok($r->h('Retry-After'), '>', 500, 'Retry-After');
cmp_ok($r->h('Retry-After'), '<=', 600, 'a sixth of an hour');

$also->close();
$mary = open_as('mary');
refused($mary, 480, 'too many calls in an hour', 'reconnected');
$mary->close();

$t->reload();
IMS::Loop::pause(0.5);
$mary = open_as('mary');
refused($mary, 480, 'too many calls in an hour', 'reloaded');
$mary->close();

# another user; premium numbers

my $john = open_as('john');
busy($john, rings($john, $_)) for qw/ tel:0180-12345 tel:0900-12345 /;

$r = refused($john, 480, 'too many premium calls in an hour', 'premium',
    'tel:+49900123456');
cmp_ok($r->h('Retry-After'), '>', 1700, 'half an hour');
is($john->ask('MESSAGE', to => 'tel:0180-12345', body => 'WIN')->{code}, 480,
    'a message, too');

my $other = rings($john, 'tel:030-123456');
ok($other, 'another number');
busy($john, $other);
$john->close();

my ($pool) = @{IMS::Browser::api('GET', path => '/ims/status')->{json}{pools}};
is($pool->{refused}, 8, 'counted');

my $log = $t->read_file('error.log');
like($log, qr/\[warn\].*user "mary" of pool "acme" has 2 calls/, 'logged');
like($log, qr/\[warn\].*user "john" .* more than 2 premium calls in an hour/,
    'premium logged');
