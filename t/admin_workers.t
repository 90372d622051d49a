#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The administration API with several workers: whichever answers, a session in
# any other one, an old one too, is ended within a second, and its call with
# BYE.

use warnings;
use strict;

use FindBin;
use Test::More;
use Time::HiRes qw/ time /;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Admin;
use IMS::Browser;
use IMS::Call;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(14);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    workers => 3, media => 'unix:%%TESTDIR%%/ng.sock', shutdown => '60s',
    server => 'location /ims/admin/ { ims_portal_admin acme; }'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $admin = IMS::Admin->new();

my (%at, %browser);

# a browser at each worker

for my $n (1 .. 60) {
    my $b = IMS::Browser->open(token => $jwt->token("user$n"));
    $b->register();

    my ($s) = @{$admin->get("sessions?user=user$n")->{json}{sessions}};

    if ($at{$s->{worker}}) {
        $b->close();
        next;
    }

    $at{$s->{worker}} = "user$n";
    $browser{"user$n"} = $b;
    last if keys %at == 3;
}

my @users = sort keys %browser;

cmp_ok(scalar @users, '>=', 2, 'browsers at several workers');

for my $user (@users) {
    $core->forget();
    IMS::Call::call_up($browser{$user}, $core);
}

$core->forget();

my $begin = time();

$admin->post('users/end', { user => $_ }) for @users;

my @codes = map { $browser{$_}->closed(3) || 0 } @users;
my $took = time() - $begin;

is(join(' ', @codes), join(' ', map { 4411 } @users), 'all are ended');
cmp_ok($took, '<', $IMS::Loop::SLOW, 'within a second');

for my $user (@users) {
    my $bye = $core->expect('BYE', 2);
    last unless $bye;
    $core->reply($bye, 200, 'OK');
}

is(scalar(() = $core->seen('BYE')), scalar @users, 'with their calls');
ok(IMS::Loop::wait_for(sub { !$admin->all('sessions?user=user1') }, 5),
    'and de-registered');

# one in a call stays in an old worker: it is ended there

my $mary = IMS::Browser->open(token => $jwt->token('mary'));

$mary->register();
$core->forget();
IMS::Call::call_up($mary, $core);

my ($old) = @{$admin->get('sessions?user=mary')->{json}{sessions}};

kill 'HUP', $t->read_file('nginx.pid');

ok(IMS::Loop::wait_for(sub {
    my @now = ims_workers($t);
    4 == @now && grep { $_ == $old->{worker} } @now
}, 10), 'new workers');

my ($s) = @{$admin->get('sessions?user=mary')->{json}{sessions}};

is($s->{worker}, $old->{worker}, 'her call is at an old one');
is($admin->del("sessions/$s->{id}")->{status}, 202, 'ended');
is($mary->closed(3), 4411, 'there');
ok($core->expect('BYE', 3), 'with her call');

# and the next ones at the new workers

my $bob = IMS::Browser->open(token => $jwt->token('bob'));

$bob->register();
select undef, undef, undef, 0.6;
ok($bob->is_open(), 'who came after an order is not concerned');
$admin->post('users/end', { user => 'bob' });
is($bob->closed(3), 4411, 'until one is about him');

is($admin->wrong(), '', 'as docs/admin-api.yaml says');
ok($t->read_file('error.log') !~ /signal 11/, 'nobody crashed');
