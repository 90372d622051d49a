#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The administration API: sessions, listed and ended, with their calls.

use warnings;
use strict;

use FindBin;
use Test::More;

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

my $t = Test::Nginx->new()->has(qw/ http /)->plan(46);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock', grace => '60s', quarantine => '1h',
    server => 'location /ims/admin/ { ims_portal_admin acme; }'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $admin = IMS::Admin->new();

sub browser {
    my ($user) = @_;

    my $b = IMS::Browser->open(token => $jwt->token($user));
    $b->register()->{code} == 200 or die "$user is not registered\n";

    return $b;
}

sub sessions { return $admin->all(@_ ? "sessions?$_[0]" : 'sessions') }

is(scalar sessions(), 0, 'no sessions');

my $mary = browser('mary');
my $bob = browser('bob');
my $call = IMS::Call::call_up($mary, $core);

my @s = sessions();

is(scalar @s, 2, 'two');
is($s[0]{user}, 'mary', 'user');
is($s[0]{identity}, $mary->{impu}, 'identity');
is($s[0]{issuer}, IMS::JWT::ISSUER, 'issuer');
is($s[0]{state}, 'registered', 'registered');
is($s[0]{calls}, 1, 'in a call');
is($s[1]{calls}, 0, 'bob in none');
cmp_ok(abs($s[0]{since} - time()), '<', 10, 'since');
cmp_ok($s[0]{expires}, '>', time(), 'expires');
is($s[0]{away_until}, undef, 'here');
is($s[0]{worker}, (ims_workers($t))[0], 'at the worker');
is_deeply($admin->get("sessions/$s[0]{id}")->{json}, $s[0], 'one of them');

is(join(' ', map { $_->{user} } sessions('search=BO')), 'bob', 'searched');
is(join(' ', map { $_->{user} } sessions("search=$bob->{impu}")), 'bob',
    'by identity');
is(scalar sessions('user=mar'), 0, 'a user is whole');
is(scalar sessions('state=registered'), 2, 'by state');
is(scalar sessions('state=away'), 0, 'by another');

my ($l) = $admin->all('leases?user=mary');
is($l->{calls}, 1, 'the identity has the call');

# ended

$core->forget();

my $r = $admin->del("sessions/$s[0]{id}");

is($r->{status}, 202, 'mary is ended');
is($r->{json}{id}, $s[0]{id}, 'which is told');

my $bye = $core->expect('BYE', 2);

ok($bye, 'her call ends');
$core->reply($bye, 200, 'OK');
is($mary->closed(2), 4411, 'her socket is closed');
ok($ng->wait_for('delete'), 'media freed');
ok(IMS::Loop::wait_for(sub {
    grep { $_->h('Contact') =~ /;expires=0\b/ } $core->seen('REGISTER')
}, 5), 'de-registered without grace time');
ok(IMS::Loop::wait_for(sub { sessions() == 1 }, 5), 'gone');
is($admin->get("sessions/$s[0]{id}")->{status}, 404, 'not found any more');
is($admin->del("sessions/$s[0]{id}")->{status}, 404, 'nor ended');
ok($bob->is_open(), 'bob is not concerned');

my $former = $mary->{impu};

$mary = browser('mary');
is($mary->{impu}, $former, 'she may come back, with her identity');
select undef, undef, undef, 0.7;
ok($mary->is_open(), 'and stays');

# all of a user, who is away with one browser, and has not registered another

my $gone = browser('mary');
$gone->drop();

ok(IMS::Loop::wait_for(sub { sessions('state=away') == 1 }, 5),
    'one is away');

my ($away) = sessions('state=away');
cmp_ok($away->{away_until}, '>', time() + 30, 'for its grace time');
is($away->{worker}, undef, 'at no worker');

my $fresh = IMS::Browser->open(token => $jwt->token('mary'));

$r = $admin->post('users/end', { user => 'mary' });
is($r->{status}, 202, 'mary is ended');
is($r->{json}{sessions}, 2, 'she had two sessions');
is($mary->closed(2), 4411, 'the one that is here');
is($fresh->closed(2), 4411, 'the one that has not registered');
ok(IMS::Loop::wait_for(sub { sessions() == 1 }, 5),
    'and the one that was away');
is($admin->post('users/end', { user => 'nobody' })->{json}{sessions}, 0,
    'nobody has none');
ok($bob->is_open(), 'bob is not concerned');

# an identity is taken from its user

$r = $admin->del("leases/$bob->{impu}");
is($r->{status}, 202, 'bob loses his identity');
is($bob->closed(2), 4411, 'and his socket');
ok(IMS::Loop::wait_for(sub {
    $admin->get("leases/$bob->{impu}")->{json}{state} eq 'resting'
}, 5), 'it rests then');

like($t->read_file('error.log'),
    qr/\[notice\] .* administrator "" at 127.0.0.1 ends user "mary"/, 'logged');
is($admin->wrong(), '', 'as docs/admin-api.yaml says');
