#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A fresh token on the session API extends the life of live sockets, in all
# workers; what is revoked is the token that counts.

use warnings;
use strict;

use FindBin;
use Test::More;
use Time::HiRes ();

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(19);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    workers => 2,
    server => 'ims_portal_jwt_leeway 0s; '
        . 'location = /ims/revoke { ims_portal_revocation acme; }'));
$t->run();

my $core = IMS::Core->new()->registrar();

sub revoke {
    my ($form) = @_;

    return http("POST /ims/revoke HTTP/1.0\x0d\x0aHost: localhost\x0d\x0a"
        . 'Content-Length: ' . length($form) . "\x0d\x0a"
        . "Content-Type: application/x-www-form-urlencoded\x0d\x0a\x0d\x0a"
        . $form) =~ m!^HTTP/1.\d (\d+)! ? $1 : 'none';
}

# two sockets of Mary, perhaps at different workers, and one that nobody renews

my $begun = time();
my $short = $jwt->token('mary', exp => $begun + 4, jti => 'short');
my @mary = map { IMS::Browser->open(token => $short) } 1, 2;
my $bob = IMS::Browser->open(token => $jwt->token('bob',
    exp => $begun + 4));

is($_->register()->{code}, 200, 'registered') for @mary, $bob;

my ($granted) = $mary[0]->register()->h('Contact') =~ /;expires=(\d+)/;

cmp_ok($granted, '<=', 4, 'no longer than the token');

# the session API sees a fresh one; then an older one, which takes nothing back

my $fresh = $jwt->token('mary', exp => $begun + 3600, jti => 'fresh');

is(IMS::Browser::api('POST', token => $fresh)->{status}, 200, 'renewed');
is(IMS::Browser::api('POST', token => $jwt->token('mary',
    exp => $begun + 60))->{status}, 200, 'another is shorter');

my $r = $mary[0]->register(expires => 600);

is($r->{code}, 200, 'registers again');
like($r->h('Contact'), qr/;expires=600\b/, 'for as long as it asks');

is($bob->closed(6), 4401, 'a token that is not renewed ends');
cmp_ok(Time::HiRes::time(), '>=', $begun + 4,
    'not before its time');

IMS::Loop::pause(1.5);

ok($_->is_open(), 'a renewed socket lives') for @mary;
is($mary[1]->register()->{code}, 200, 'the other one, too');

# the token of before does not count any more, the fresh one does

is(revoke('jti=short'), 204, 'the former token is revoked');
IMS::Loop::pause(1.2);
ok($_->is_open(), 'which ends no socket') for @mary;

is(revoke('jti=fresh'), 204, 'the fresh one is revoked');
is($_->closed(2), 4403, 'which does') for @mary;
