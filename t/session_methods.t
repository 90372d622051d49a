#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The session API's methods, bodies and limits; every error is a problem.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::JWT;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(33);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(server => <<'EOC'));
    location = /slow {
        ims_portal_limit_sessions user rate=1r/m burst=1;
        ims_portal_session acme;
    }

    location = /near {
        ims_portal_limit_sessions address rate=1r/m burst=1;
        ims_portal_session acme;
    }
EOC

$t->run();

my $token = $jwt->token('mary');

sub api { return IMS::Browser::api(@_, token => $token) }

sub problem {
    my ($r, $status, $detail, $name) = @_;

    is($r->{status}, $status, $name);
    like($r->{head}, qr!^Content-Type: application/problem\+json!mi,
        "$name: a problem");
    is_deeply([ @{$r->{json}}{qw/ status detail /} ], [ $status, $detail ],
        "$name: what it says");
}

# PUT renews, GET and HEAD read: neither leases

problem(api($_), 404, 'no identity is leased', "$_ without a lease")
    for qw/ GET PUT /;
is(api('HEAD')->{status}, 404, 'HEAD without a lease');
is(api('GET')->{status}, 404, 'none of them leased');

my $first = api('POST');
is($first->{status}, 201, 'POST leases');

my $r = api('PUT');
is($r->{status}, 200, 'PUT renews');
is($r->{json}{identity}, $first->{json}{identity}, 'the same identity');
cmp_ok($r->{json}{lease_expires}, '>=', $first->{json}{lease_expires},
    'for a new while');
cmp_ok(abs($r->{json}{lease_expires} - time() - 12 * 3600), '<', 10,
    'as long as the pool says');

$r = api('HEAD');
is($r->{status}, 200, 'HEAD reads');
is($r->{body}, '', 'without a body');

# OPTIONS, and what is no method of it

$r = IMS::Browser::api('OPTIONS');
is($r->{status}, 204, 'OPTIONS needs no token');
like($r->{head}, qr/^Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS\r$/mi, 'Allow');

$r = api('PATCH');
problem($r, 405, undef, 'PATCH');
like($r->{head}, qr/^Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS\r$/mi,
    'Allow with it');

# bodies: small ones are read away

sub body {
    my ($headers, $body) = @_;

    return Test::Nginx::http("PUT /ims/session HTTP/1.1\r\nHost: localhost\r\n"
        . "Connection: close\r\nCookie: ims_session=$token\r\n$headers\r\n\r\n"
        . $body);
}

like(body('Content-Length: 4096', 'x' x 4096), qr!^HTTP/1.1 200!,
    'a small body does no harm');
like(body('Content-Length: 4097', 'x' x 4097),
    qr!^HTTP/1.1 413.*problem\+json.*"status":413!s, 'a larger one does');
like(body('Transfer-Encoding: chunked', "2\r\n{}\r\n0\r\n\r\n"),
    qr!^HTTP/1.1 411.*problem\+json.*"status":411!s, 'so does chunked');

# limits

$token = $jwt->token('bob');

is(api('POST', path => '/slow')->{status}, 201, 'first of a user');
is(api('GET', path => '/slow')->{status}, 200, 'his second');
$r = api('GET', path => '/slow');
problem($r, 429, 'too many requests', 'one more');
like($r->{head}, qr/^Retry-After: (?:[3-5]\d|60)\r$/mi, 'when to try again');

for (1 .. 5) {
    $r = IMS::Browser::api('GET', path => '/near');
    last if $r->{status} == 429;
}

problem($r, 429, 'too many requests', 'one more of an address');
