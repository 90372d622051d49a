#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A reload that fails, because an identity is there twice, leaves the pool as it
# was: an identity is given out again in its time.  One that fails late, behind
# the pool, takes nothing from it either.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::JWT;
use IMS::Loop;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(6);

my $jwt = IMS::JWT->new($t);
my @common = (lease => '1s', quarantine => '1s');
my ($own, $other) = map { "sip:u00$_\@acme.ims.operator.example" } 1, 2;

$t->write_file_expand('nginx.conf', ims_conf(@common, identity => $own));
$t->run();

my $mary = IMS::Browser::api('POST', token => $jwt->token('mary'));
is($mary->{json}{identity}, $own, 'leased');

$t->write_file_expand('nginx.conf', ims_conf(@common,
    identity => "$other; $other; $own"));
$t->reload();

ok(IMS::Loop::wait_for(sub {
    $t->read_file('error.log') =~ /is twice in "ims_portal_pool"/;
}, 5), 'the reload fails');

my $bob;

IMS::Loop::wait_for(sub {
    IMS::Loop::pause(0.2);
    $bob = IMS::Browser::api('POST', token => $jwt->token('bob'));
    return $bob->{status} != 503;
}, 8);

is($bob->{status}, 201, 'leased again behind quarantine');
is($bob->{json}{identity}, $own, 'the same identity');

# another pool, which does not fit

$t->write_file_expand('nginx.conf', ims_conf(@common, identity => $other,
    http => 'ims_portal_pool alpha zone=alpha:32k core=operator {
        identity sip:a[001-900]@acme.ims.operator.example;
    }'));
$t->reload();

ok(IMS::Loop::wait_for(sub {
    $t->read_file('error.log') =~ /zone "alpha" is too small/;
}, 5), 'another reload fails');

my $carol;

IMS::Loop::wait_for(sub {
    IMS::Loop::pause(0.2);
    $carol = IMS::Browser::api('POST', token => $jwt->token('carol'));
    return $carol->{status} != 503;
}, 8);

is($carol->{json}{identity}, $own, 'the pool has what it had');
