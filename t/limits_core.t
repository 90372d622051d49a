#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# What is limited for all: requests at a core that is slow, sockets of a pool,
# transactions.

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
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(21);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    core => 'max_requests 10; emergency reject numbers=112;',
    pool => 'sockets 6;', http => 'ims_portal_transactions 40;',
    sip => 'ims_portal_limit_requests 1000;'));

$t->run();

my $core = IMS::Core->new()->registrar();

sub status { return IMS::Browser::api('GET', path => '/ims/status')->{json} }
sub limits { return status()->{limits} }

# a core that is slow: requests wait there, up to a number

my $mary = IMS::Browser->open(token => $jwt->token('mary'));
my $bob = IMS::Browser->open(token => $jwt->token('bob'));

is($mary->register()->{code}, 200, 'registered');

$mary->start('OPTIONS', headers => [ 'X-Number' => $_ ]) for 1 .. 13;

my @refused = map { $mary->final('OPTIONS') } 1 .. 3;

is(join(' ', map { $_->{code} } @refused), '503 503 503',
    'more than the core may have');
is($refused[0]->h('Retry-After'), 5, 'may come again');
like($refused[0]->h('Warning'), qr/the core is busy/, 'why');

is($bob->register()->{code}, 503, 'nor a REGISTER');
is($mary->ask('INVITE', to => 'tel:112')->{code}, 380,
    'an emergency call is not refused for that');

my @at = map { $core->expect('OPTIONS') } 1 .. 10;

is(scalar(grep { $_ } @at), 10, 'the core has ten');
$core->reply($_, 200, 'OK') for @at;
is(join(' ', map { $mary->final('OPTIONS')->{code} } 1 .. 10),
    join(' ', (200) x 10), 'and answers them');

is($bob->register()->{code}, 200, 'then there is room');
$mary->start('OPTIONS');
$core->reply($core->expect('OPTIONS'), 200, 'OK');
is($mary->final('OPTIONS')->{code}, 200, 'answered');
is(limits()->{core_requests}, 4, 'counted');
is(scalar(() = $t->read_file('error.log')
    =~ /\[warn\].*core "operator" has 10 requests under way already/g), 1,
    'one line in the log');

# sockets of the pool: the site's fault, so 503

my @more = map { IMS::Browser->open(token => $jwt->token("more$_")) } 1 .. 5;

is(join(' ', map { $_->{status} } @more), '101 101 101 101 503',
    'sockets of the pool');
is($more[4]->header('Retry-After'), 30, 'may come again');
is(limits()->{pool_sockets}, 1, 'counted');
$more[0]->close();
is(IMS::Browser->open(token => $jwt->token('last'))->{status}, 101,
    'room when one has gone');

# transactions: answered ones stay a while, for retransmissions

is(status()->{cores}[0]{requests}, 0, 'none is at the core any more');

my %code;

for (1 .. 60) {
    my $sent = $mary->start('OPTIONS');
    my $q = $core->expect('OPTIONS', 0.05);
    $core->reply($q, 200, 'OK') if $q;
    my $r = $mary->final('OPTIONS', 1);
    $code{$r ? $r->{code} : 0}++;
}

is(join(' ', sort keys %code), '200 503', 'transactions of a worker');
cmp_ok(limits()->{transactions}, '>', 0, 'counted');
is($mary->ask('INVITE', to => 'tel:112')->{code}, 380,
    'an emergency call is not refused for that');

is(status()->{cores}[0]{requests}, 0, 'nothing is left at the core');
