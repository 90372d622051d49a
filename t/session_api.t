#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The session API: who am I, where do I connect.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(38);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    server => 'ims_portal_ice_server stun:stun.acme.example:3478;'));

$t->run();

my $exp = time() + 1800;
my $token = $jwt->token('mary', exp => $exp);

sub api { return IMS::Browser::api(@_) }

# reading does not lease

my $r = api('GET', token => $token);

is($r->{status}, 404, 'no lease yet');
like($r->{head}, qr!^Content-Type: application/problem\+json!mi, 'problem');
is($r->{json}{status}, 404, 'status in the body');
like($r->{json}{title}, qr/./, 'title');
is($r->{json}{type}, 'about:blank', 'type');
is(api('GET', token => $token)->{status}, 404, 'still none');

$r = api('POST', token => $token);

is($r->{status}, 201, 'leased');
like($r->{head}, qr!^Content-Type: application/json!mi, 'JSON');
like($r->{head}, qr!^Cache-Control: .*no-store!mi, 'not to be stored');
like($r->{json}{identity}, qr/^sip:u\d{3}\@acme\.ims\.operator\.example$/,
    'identity of the pool');
is($r->{json}{domain}, 'ims.operator.example', 'domain');
is($r->{json}{user}, 'mary', 'user');
like($r->{json}{websocket}, qr!^wss?://localhost(:\d+)?/ims/sip$!,
    'WebSocket');
is($r->{json}{expires}, $exp, 'expires');
cmp_ok($r->{json}{expires_in}, '<=', 1800, 'expires_in');
cmp_ok($r->{json}{expires_in}, '>', 1790, 'expires_in is near');
is_deeply($r->{json}{ice_servers}, [ { urls => [
    'stun:stun.acme.example:3478' ] } ], 'ICE servers');
unlike($r->{body}, qr/eyJ/, 'no token');

my $identity = $r->{json}{identity};

$r = api('POST', token => $token);

is($r->{status}, 200, 'had it');
is($r->{json}{identity}, $identity, 'same identity');

$r = api('GET', token => $token);

is($r->{status}, 200, 'read');
is($r->{json}{identity}, $identity, 'same identity read');

$r = api('POST', headers => [ "Authorization: Bearer $token" ]);

is($r->{json}{identity}, $identity, 'token in a header');

# the identities beside it are known when the core has told them

is_deeply($r->{json}{aliases}, [], 'no aliases before the registration');

my $core = IMS::Core->new()->registrar(headers => [
    'P-Associated-URI' => '"M" <tel:+15551000>, <sip:m@acme.example>' ]);
my $mary = IMS::Browser->open(token => $token);

$mary->register();
is_deeply(api('GET', token => $token)->{json}{aliases},
    [ 'tel:+15551000', 'sip:m@acme.example' ], 'aliases');
$mary->close();

# another user, and names that need care in JSON

$r = api('POST', token => $jwt->token('a"b\\c'));

is($r->{status}, 201, 'user with quotes');
is($r->{json}{user}, 'a"b\\c', 'escaped');
isnt($r->{json}{identity}, $identity, 'other identity');

# a user is issuer and subject, and case counts

isnt(api('POST', token => $jwt->token('MARY'))->{json}{identity}, $identity,
    'case counts');

# refused

for my $method (qw/ PATCH PROPFIND /) {
    $r = api($method, token => $token, headers => [ 'Content-Length: 0' ]);
    is($r->{status}, 405, "$method refused");
}

like($r->{head}, qr/^Allow: .*GET.*POST/mi, 'methods told');

$r = api('GET');

is($r->{status}, 401, 'no token');
is($r->{json}{status}, 401, 'as problem');
like($r->{head}, qr/^WWW-Authenticate: Bearer/mi, 'asks for a token');

$r = api('GET', headers => [ 'Authorization: Basic bWFyeTptYXJ5' ]);

is($r->{status}, 401, 'credentials of another scheme');
is($r->{json}{detail}, 'no token', 'are no token');
unlike($r->{head}, qr/invalid_token/, 'and no bad one');
