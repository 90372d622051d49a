#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Storms of REGISTER: what the portal knows it answers itself, and what the core
# has to see has a rate.

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

my $t = Test::Nginx->new()->has(qw/ http /)->plan(17);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    sip => 'ims_portal_limit_messages off; ims_portal_limit_frames off;',
    server => '
        location = /few {
            ims_portal acme;
            ims_portal_limit_registers rate=6r/m burst=3;
        }'));

$t->run();

my $core = IMS::Core->new()->registrar();

# the same REGISTER again and again: the record answers it

my $mary = IMS::Browser->open(token => $jwt->token('mary'));
my %code;

for (1 .. 20) {
    $mary->emit($mary->register_request()->bytes()) for 1 .. 50;
    $code{$mary->final('REGISTER')->{code}}++ for 1 .. 50;
}

# before the core's first answer there is nothing to answer from

is($code{200} + ($code{500} || 0), 1000, 'each of 1000 is answered');
cmp_ok($code{200}, '>', 900, 'all but the first ones by 200');
is(scalar $core->seen('REGISTER'), 1, 'the core saw one');

# the same from a page that is loaded again and again: one binding, one Contact

for (1 .. 20) {
    my $again = IMS::Browser->open(token => $jwt->token('mary'),
        instance => $mary->{instance});

    $code{again} += ($again->register()->{code} == 200);
    $again->drop();
}

is($code{again}, 20, 'reloads of a page');
is(scalar $core->seen('REGISTER'), 1, 'are not seen by the core');

my $status = IMS::Browser::api('GET', path => '/ims/status')->{json};

is($status->{pools}[0]{bindings}, 1, 'one binding');

# what the core has to see has a rate

my $eve = IMS::Browser->open(token => $jwt->token('eve'), path => '/few');

$core->forget();

is($eve->register()->{code}, 200, 'registered');
is($eve->register(expires => 0)->{code}, 200, 'and not');
is($eve->register()->{code}, 200, 'registered');
is($eve->register(expires => 0)->{code}, 200, 'and not');

my $r = $eve->register();

is($r->{code}, 480, 'once too often');
like($r->h('Retry-After'), qr/^([1-9]|10)$/, 'may come again');
like($r->h('Warning'), qr/too many registrations/, 'why');
is(scalar(grep { IMS::SIP::uri_of($_->h('To')) eq $eve->{impu} }
    $core->seen('REGISTER')), 4, 'the core saw the others only');

my $bob = IMS::Browser->open(token => $jwt->token('bob'), path => '/few');

is($bob->register()->{code}, 200, 'another user');
is(scalar(grep { $bob->register()->{code} == 200 } 1 .. 20), 20,
    'what the record answers has no rate of its own');

$status = IMS::Browser::api('GET', path => '/ims/status')->{json};
is($status->{limits}{registers}, 1, 'counted');
