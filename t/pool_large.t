#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A million identities of a file, in a zone of 256 MiB.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::JWT;
use Time::HiRes qw/ time /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(7);

my $jwt = IMS::JWT->new($t);

open my $f, '>', $t->testdir() . '/list' or die "open: $!\n";
printf $f "sip:u%07d\@acme.ims.operator.example u%07d\@ims.operator.example\n",
    $_, $_ for 1 .. 1_000_000;
close $f or die "close: $!\n";

$t->write_file_expand('nginx.conf', ims_conf(zone => '256m',
    identity => 'file=list',
    server => 'ims_portal_claim identity ims_impu;'));

my $begin = time();
my $said = ims_check($t, 'nginx.conf');

like($said, qr/test is successful/, 'tested');
cmp_ok(time() - $begin, '<', 15 * $IMS::Loop::SLOW, 'in time');

$begin = time();
$t->run();
cmp_ok(time() - $begin, '<', 20 * $IMS::Loop::SLOW, 'started in time');

my $mary = IMS::Browser::api('POST', token => $jwt->token('mary'));
is($mary->{json}{identity}, 'sip:u0000001@acme.ims.operator.example',
    'the first');

my $bob = IMS::Browser::api('POST', token => $jwt->token('bob',
    ims_impu => 'sip:u0987654@acme.ims.operator.example'));
is($bob->{json}{identity}, 'sip:u0987654@acme.ims.operator.example',
    'one by name');

my $pool = IMS::Browser::api('GET', path => '/ims/status')->{json}{pools}[0];
is($pool->{identities}, 1_000_000, 'all of them');

# too small a zone says what is needed

$t->write_file_expand('small.conf', ims_conf(zone => '64m',
    identity => 'file=list'));
like(ims_check($t, 'small.conf'),
    qr/"acme" is too small: 1000000 identities need \d+k/, 'what is needed');
