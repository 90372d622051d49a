#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Two calls ring at once when the socket goes: on the next one both do again,
# each with its own branch, also the one that waits while the offer of the other
# is with the media helper.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ call_down /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IMS::Outlive qw/ vanish /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(6);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock', grace => 3 * $IMS::Loop::SLOW . 's',
    t1 => 50 * $IMS::Loop::SLOW . 'ms'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my %mary = (token => $jwt->token('mary'), instance => '1-2-3',
    host => 'mary.invalid');
my $mary = IMS::Browser->open(%mary);

$mary->register();

my @calls = map { call_down($mary, $core, until => 180) } 1, 2;

vanish($t, $mary);
$mary = IMS::Browser->open(%mary);
is($mary->register()->{code}, 200, 'back');

my @again = map { $mary->expect('INVITE', 3) } 1, 2;

for my $i (0, 1) {
    is($again[$i]->h('Call-ID'), $calls[$i]{seen}->h('Call-ID'),
        "call $i rings again");
    is($again[$i]->branch(), $calls[$i]{seen}->branch(), "same branch");
}

$mary->reply($_, 486, 'Busy Here') for @again;
is(join(' ', map { my $r = $core->final('INVITE'); $r ? $r->{code} : '-' }
    1, 2), '486 486', 'both are answered');

$mary->close();
