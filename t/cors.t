#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# CORS for the session API, and what it does not let pass: state is changed by
# pages of known origins only, whatever cookies the browser adds.

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

# arguments, and what nginx -t must say

my @bad = (
    [ 'shop.example', qr/invalid origin "shop.example" in "ims_portal_cors"/ ],
    [ 'https://shop.example/',
        qr!invalid origin "https://shop.example/" in "ims_portal_cors"! ],
    [ 'any credentials',
        qr/"ims_portal_cors" directive must name the origins that get/ ],
    [ 'any https://shop.example',
        qr/"ims_portal_cors" directive needs origins, or "any" and none/ ],
    [ 'credentials', qr/"ims_portal_cors" directive needs origins, or "any"/ ],
    [ 'https://a.example max_age=2d',
        qr/"ims_portal_cors" directive has a "max_age" that is not/ ],
    [ 'https://a.example; ims_portal_cors off',
        qr/"ims_portal_cors" directive is duplicate/ ],
);

my $t = Test::Nginx->new()->has(qw/ http /)
    ->plan(52 + @bad);

my $jwt = IMS::JWT->new($t);

for my $case (@bad) {
    my ($args, $like) = @$case;

    $t->write_file_expand('bad.conf', ims_conf(
        server => "ims_portal_cors $args;"));
    like(ims_check($t, 'bad.conf'), $like, $args);
}

$t->write_file('users', "u:{PLAIN}p\n");
$t->write_file_expand('nginx.conf', ims_conf(origin => '',
    http => 'limit_req_zone $server_port zone=one:64k rate=1r/m;',
    server => <<'EOC'));
    ims_portal_cors https://shop.example https://crm.example:8443 credentials
        max_age=1h;

    location = /bare {
        ims_portal_cors https://shop.example;
        ims_portal_session acme;
    }

    location = /any {
        ims_portal_cors any;
        ims_portal_session acme;
    }

    location = /off {
        ims_portal_cors off;
        ims_portal_session acme;
    }

    location = /denied {
        deny all;
        ims_portal_session acme;
    }

    location = /limited {
        limit_req zone=one;
        limit_req_status 429;
        ims_portal_session acme;
    }

    location = /basic {
        auth_basic closed;
        auth_basic_user_file %%TESTDIR%%/users;
        ims_portal_session acme;
    }
EOC

$t->run();

my $token = $jwt->token('mary');
my $shop = 'https://shop.example';

sub api {
    my ($method, $path, $origin, @headers) = @_;

    return IMS::Browser::api($method, path => $path, headers => [
        (defined $origin ? "Origin: $origin" : ()), @headers ]);
}

sub value { return ($_[0]->{head} =~ /^\Q$_[1]\E: (.*?)\r$/mi)[0] }

sub preflight {
    my ($path, $origin) = @_;

    return api('OPTIONS', $path, $origin,
        'Access-Control-Request-Method: PUT',
        'Access-Control-Request-Headers: authorization');
}

my @cookie = "Cookie: ims_session=$token";
my @bearer = "Authorization: Bearer $token";

# preflight

my $r = preflight('/ims/session', $shop);

is($r->{status}, 204, 'preflight');
is(value($r, 'Access-Control-Allow-Origin'), $shop, 'the origin itself');
is(value($r, 'Access-Control-Allow-Credentials'), 'true', 'credentials');
like(value($r, 'Access-Control-Allow-Methods'), qr/GET.*POST.*PUT/,
    'methods');
like(value($r, 'Access-Control-Allow-Headers'),
    qr/Authorization.*Content-Type.*Prefer/, 'headers');
is(value($r, 'Access-Control-Max-Age'), 3600, 'age');
is(value($r, 'Vary'), 'Origin', 'Vary');
is(preflight('/ims/session', 'https://crm.example:8443')->{status}, 204,
    'another with a port');

$r = preflight('/ims/session', 'https://evil.example');
is($r->{status}, 403, 'preflight of a foreign origin');
is(value($r, 'Access-Control-Allow-Origin'), undef, 'which gets nothing');
is(value($r, 'Vary'), 'Origin', 'but Vary');
is($r->{json}{status}, 403, 'and a problem');

is(preflight('/basic', $shop)->{status}, 204, 'before auth_basic');
is(preflight('/denied', $shop)->{status}, 204, 'before deny');
is(value(preflight('/off', $shop), 'Access-Control-Allow-Origin'), undef,
    'off');

# answers, good and bad

$r = api('POST', '/ims/session', $shop, @cookie);
is($r->{status}, 201, 'with a cookie');
is(value($r, 'Access-Control-Allow-Origin'), $shop, 'readable');
is(value($r, 'Access-Control-Allow-Credentials'), 'true', 'with credentials');
like(value($r, 'Access-Control-Expose-Headers'),
    qr/Retry-After.*WWW-Authenticate/, 'exposed');

my %error = (
    '/ims/session' => 401, '/denied' => 403, '/basic' => 401,
);

for my $path (sort keys %error) {
    $r = api('POST', $path, $shop);
    is($r->{status}, $error{$path}, "$path: $error{$path}");
    is(value($r, 'Access-Control-Allow-Origin'), $shop, 'readable');
    is(value($r, 'Content-Type'), 'application/problem+json', 'a problem');
    is($r->{json}{status}, $error{$path}, 'that says so');
    is(value($r, 'Content-Length'), length $r->{body}, 'whole');
}

api('POST', '/limited', $shop, @cookie) for 1 .. 2;
$r = api('POST', '/limited', $shop, @cookie);
is($r->{status}, 429, 'limit_req');
is_deeply([ @{$r->{json}}{qw/ status title type /} ],
    [ 429, 'Too Many Requests', 'about:blank' ], 'is a problem, too');
is(value($r, 'Access-Control-Allow-Origin'), $shop, 'and readable');
is(api('HEAD', '/denied')->{body}, '', 'HEAD has no body');

# whom it is not for

$r = api('POST', '/ims/session', 'https://evil.example', @cookie);
is($r->{status}, 403, 'foreign origin');
is(value($r, 'Access-Control-Allow-Origin'), undef, 'cannot read it');
is(value($r, 'Vary'), 'Origin', 'Vary');
is(api('PUT', '/ims/session', 'https://shop.example.evil', @cookie)
    ->{status}, 403, 'a longer name');
is(api('PUT', '/ims/session', 'null', @cookie)->{status}, 403, 'null');

# without credentials a cookie is none

is(api('POST', '/bare', $shop, @bearer)->{status}, 200, 'a token passes');
is(value(api('GET', '/bare', $shop, @bearer),
    'Access-Control-Allow-Credentials'), undef, 'without credentials');
is(api('POST', '/bare', $shop, @cookie)->{status}, 403, 'a cookie does not');
$r = api('POST', '/any', 'https://evil.example', @bearer);
is(value($r, 'Access-Control-Allow-Origin'), '*', 'any');
is(api('POST', '/any', 'https://evil.example', @cookie)->{status}, 403,
    'but not with a cookie');

# the browser says whose page it is, even without Origin

is(api('PUT', '/ims/session', undef, @cookie, 'Sec-Fetch-Site: cross-site')
    ->{status}, 403, 'cross-site without Origin');
is(api('PUT', '/ims/session', undef, @cookie, 'Sec-Fetch-Site: same-origin')
    ->{status}, 200, 'same-origin');
is(api('GET', '/ims/session', undef, @cookie, 'Sec-Fetch-Site: cross-site')
    ->{status}, 200, 'reading changes nothing');

# CORS does not open the WebSocket

is(IMS::Browser->open(cookie => "ims_session=$token", origin => $shop)
    ->{status}, 403, 'a WebSocket needs ims_portal_origin');
