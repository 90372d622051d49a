#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A reload with a store that is no good fails, and one that puts it right does
# not.

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

my $t = Test::Nginx->new()->has(qw/ http /)->plan(3);

my $jwt = IMS::JWT->new($t);
my $dir = $t->testdir();

sub conf {
    my ($store) = @_;

    $t->write_file_expand('nginx.conf', ims_conf(workers => 1,
        http => $store ? "ims_portal_pool alpha zone=alpha:1m core=operator {
            identity sip:a[1-9]\@acme.ims.operator.example;
            store $dir/$store;
        }" : '',
        server => $store
            ? 'location = /ims/alpha { ims_portal_session alpha; }' : ''));
}

$t->write_file('bad.store', 'x' x 65536);

conf('');
$t->run();

conf('bad.store');
$t->reload();

ok(IMS::Loop::wait_for(sub {
    $t->read_file('error.log') =~ /bad.store" is not a store/;
}, 5), 'the reload fails');

conf('good.store');
$t->reload();

ok(IMS::Loop::wait_for(sub { -s "$dir/good.store" }, 5), 'the next one not');

my $r;

IMS::Loop::wait_for(sub {
    $r = IMS::Browser::api('POST', path => '/ims/alpha',
        token => $jwt->token('mary'));
    return $r->{status} == 201;
}, 5);

is($r->{json}{identity}, 'sip:a1@acme.ims.operator.example', 'leased');

# a sub holds it: the two tests of its own come now, not too late

undef $t;
