#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A reload that fails, because an identity is there twice, leaves the pool as it
# was: an identity is given out again in its time.

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

my $t = Test::Nginx->new()->has(qw/ http /)->plan(4);

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
