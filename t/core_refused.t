#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A server whose port is closed says so by ICMP: nobody waits for a time-out,
# and the other worker knows it, too.

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
use Time::HiRes qw/ time /;
use Test::Nginx qw/ port /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(11);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    workers => 2, listen => '127.0.0.1:8080 reuseport', t1 => '500ms',
    server_ims => '127.0.0.1:%%PORT_8981_UDP%% fail_timeout=30s max_fails=3',
    core => 'server 127.0.0.1:%%PORT_8982_UDP%%; probe off; timeout 5s;'));

my $one = IMS::Core->new()->registrar();
my $two = IMS::Core->new(port => port(8982, udp => 1))->registrar();

$t->run();

my $mary = IMS::Browser->open(token => $jwt->token('mary'));
is($mary->register()->{code}, 200, 'registered at the first');
is(scalar $one->seen('REGISTER'), 1, 'really');

# it is gone: the first request finds out, the others are not sent there

$one->down();
$two->{on}{MESSAGE} = sub { $_[0]->reply($_[1], 200, 'OK') };

my $start = time();
is($mary->ask('MESSAGE', body => 'x')->{code}, 200, 'MESSAGE answered');
cmp_ok(time() - $start, '<', 0.3 * $IMS::Loop::SLOW, 'at once');

my $log = $t->read_file('error.log');
like($log, qr/server "\S+:$one->{port}" .* does not answer/, 'logged');
unlike($log, qr/sendto\(\)|recvmmsg\(\)/, 'no other error');

my @users = map { IMS::Browser->open(token => $jwt->token("user$_")) }
    1 .. 8;
my $longest = 0;

for my $user (@users) {
    $start = time();
    $user->register();
    my $took = time() - $start;
    $longest = $took if $took > $longest;
}

cmp_ok($longest, '<', 0.1 * $IMS::Loop::SLOW, 'nobody waits in any worker');
is(scalar(grep { $_->h('Contact') !~ /expires=0/ } $two->seen('REGISTER')), 8,
    'all at the other server');


# the first one is back and the second goes: all are down, the better is found

$one->up();
$one->registrar();
$two->down();

my $dave = IMS::Browser->open(token => $jwt->token('dave'));
$start = time();
my $r = $dave->register();
$r = $dave->register() if $r->{code} != 200;
is($r->{code}, 200, 'back at the first');
cmp_ok(time() - $start, '<', 1 * $IMS::Loop::SLOW, 'soon');

ok(IMS::Loop::wait_for(sub { $t->read_file('error.log')
    =~ /server "\S+:$one->{port}" .* is back/ ? 1 : 0 }, 2), 'logged');

$_->drop() for @users, $mary, $dave;
