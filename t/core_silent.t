#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The core is silent: every answer comes in time, and when it speaks again
# nothing has to be restarted. T1 is 200 ms here, so time-outs take 12.8 s.

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
use IMS::SIP;
use Time::HiRes qw/ time /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(13);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    t1 => '200ms'));
$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));
my $bob = IMS::Browser->open(token => $jwt->token('bob'));
my $dave = IMS::Browser->open(token => $jwt->token('dave'));

is($mary->register()->{code}, 200, 'mary');

$core->{on} = {};
$core->{again} = 0;

my $start = time();

$bob->emit($bob->register_request()->bytes());
my $reg = $core->expect('REGISTER');
ok($reg, 'REGISTER of bob');

IMS::Loop::wait_for(sub { $core->{again} >= 3 }, 3);
my $third = time() - $start;

# after 0.2, 0.6, 1.4 s: RFC 3261 17.1.2.2

cmp_ok($third, '>', 1.2, 'third retransmission');
cmp_ok($third, '<', 2, 'third retransmission in time');

$mary->start('MESSAGE', body => 'x');
ok($core->expect('MESSAGE'), 'MESSAGE of mary');

# the socket of the core closed, too: one more, beside the other two

$core->down();
$dave->emit($dave->register_request()->bytes());

my $r = $bob->final('REGISTER', 16);

like($r->{code}, qr/^(408|503|504)$/, 'REGISTER timed out');
cmp_ok(time() - $start, '<', 14.5, 'within 64 T1');

$r = $mary->final('MESSAGE', 10);
like($r->{code}, qr/^(408|503|504)$/, 'MESSAGE timed out');

$r = $dave->final('REGISTER', 10);
like($r->{code}, qr/^(408|503|504)$/, 'no core at all');
cmp_ok(time() - $start, '<', 18, 'in time');

# and back

$core->up();
$core->registrar();

my $ok = 0;

for (1 .. 10) {
    $r = $bob->register(wait => 4);
    last if $ok = $r && $r->{code} == 200;
    IMS::Loop::pause(1);
}

ok($ok, 'bob registers once the core is back');

$mary->start('MESSAGE', body => 'y');
$r = $core->expect('MESSAGE');
ok($r, 'mary still registered');
$core->reply($r, 200, 'OK');
is($mary->final('MESSAGE')->{code}, 200, 'and answered');

$_->close() for $mary, $bob, $dave;
