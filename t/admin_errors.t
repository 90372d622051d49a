#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The administration API: every bad input has its answer, and changes nothing.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Admin;
use IMS::Browser;
use IMS::Conf;
use IMS::JWT;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my @queries = (
    'leases?limit=0', 'leases?limit=1001', 'leases?limit=x', 'leases?limit=-1',
    'leases?limit=', 'leases?limit=1&limit=2', 'leases?cursor=x',
    'leases?cursor=-1', 'leases?cursor=99999999999', 'leases?state=unused',
    'leases?state=', 'leases?state=away', 'leases?color=red', 'leases?search',
    'leases?=x', 'leases?search=%', 'leases?search=%4', 'leases?search=%zz',
    'leases?search=%00', 'leases?search=a%0d%0ab', 'leases?search=%ff',
    'leases?search=%c0%80', 'leases?search=%ed%a0%80', 'leases?&',
    'leases?search=' . 'x' x 256, 'leases?search%20state=x',
    'sessions?state=leased', 'sessions?quarantine=0', '?x=y', 'drain?on=1',
    'users/block?user=mary', 'sessions/1-1?x=y',
);

my @paths = (
    'lease', 'leases/', 'leases/mary', 'leases/sip:mary@other.example',
    'leases/sip:u001@acme.ims.operator.example/x', 'leases//', 'Leases',
    'sessions/', 'sessions/x', 'sessions/1', 'sessions/1-', 'sessions/-1',
    'sessions/1-1-1', 'sessions/0-0', 'sessions/4294967296-1',
    'sessions/99999999-1', 'users', 'users/', 'users/other', 'pools/acme',
    'drain/x',
);

my @bodies = (
    '', 'x', '[]', '"mary"', '{', '{}', '{"user":"mary"', '{"user":1}',
    '{"user":null}', '{"user":""}', '{"user":"mary","user":"bob"}',
    '{"user":"mary","color":"red"}', '{"user":"mary","issuer":7}',
    '{"user":["mary"]}', '{"user":"mary"} x', "{\"user\":\"\xff\"}",
    '{"user":"a\u0000b"}', '{"user":"a\r\nb"}', '{"user":"\ud800"}',
    '{"user":"' . 'x' x 256 . '"}', '{"user":"\u0085"}', '[' x 10000,
);

my @blocks = (
    '{"user":"mary"}', '{"user":"mary","for":1,"until":9}',
    '{"user":"mary","for":0}', '{"user":"mary","for":-1}',
    '{"user":"mary","for":1.5}', '{"user":"mary","for":"1"}',
    '{"user":"mary","for":99999999999}', '{"user":"mary","until":1}',
    '{"user":"mary","until":99999999999999}',
    '{"user":"mary","until":99999999999999999999999}',
    '{"user":"mary","for":true}', '{"user":"mary","for":9,"reason":{}}',
);

my @drains = ('{}', '{"on":1}', '{"on":"true"}', '{"close":true}',
    '{"on":false,"close":true}', '{"on":true,"close":1}');

my $t = Test::Nginx->new()->has(qw/ http /)->plan(28 + @queries + @paths
    + @bodies + @blocks + @drains);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    origin => 'http://admin.example',
    server => 'location /ims/admin/ { ims_portal_admin acme; }'
        . 'location /ims/all { ims_portal_admin *; }'));

$t->run();

my $admin = IMS::Admin->new();
my $all = IMS::Admin->new(base => '/ims/all');

is(IMS::Browser::api('POST', token => $jwt->token('mary'))->{status}, 201,
    'mary has an identity');

for my $query (@queries) {
    my $r = $admin->get($query);

    is("$r->{status} " . ($r->{json} ? $r->{json}{status} : ''), '400 400',
        'query ' . substr $query, 0, 40);
}

for my $path (@paths) {
    my $r = $admin->ask('GET', $path, plain => 1);

    is("$r->{status} " . ($r->{type} || ''), '404 application/problem+json',
        "path $path");
}

for my $body (@bodies) {
    is($admin->ask('POST', 'users/end', body => $body)->{status}, 400,
        'body ' . substr $body, 0, 40);
}

for my $body (@blocks) {
    is($admin->ask('POST', 'users/block', body => $body)->{status}, 400,
        "block $body");
}

for my $body (@drains) {
    is($admin->ask('POST', 'drain', body => $body)->{status}, 400,
        "drain $body");
}

# what is wrong is named

like($admin->get('leases?color=red')->{json}{detail}, qr/"color"/,
    'an unknown parameter is named');
like($admin->ask('POST', 'users/end',
    body => '{"user":"mary","color":"red"}')->{json}{detail}, qr/"color"/,
    'and an unknown member');
like($admin->ask('POST', 'users/move', body => '{"user":"mary"}')
    ->{json}{detail}, qr/"identity" is missing/, 'and a missing one');

# methods

for my $m ([ 'PUT', 'leases', 'GET, HEAD' ], [ 'POST', 'leases', 'GET, HEAD' ],
    [ 'GET', 'users/end', 'POST' ],
    [ 'PATCH', 'users/block', 'GET, HEAD, POST, DELETE' ],
    [ 'DELETE', 'drain', 'GET, HEAD, POST' ])
{
    my $r = $admin->ask($m->[0], $m->[1]);

    is($r->{status}, 405, "$m->[0] $m->[1]");
    like($r->{head}, qr/^Allow: $m->[2]\r/m, 'what there is');
}

# bodies of another kind, or too long

is($admin->ask('POST', 'users/end', body => 'user=mary',
    type => 'application/x-www-form-urlencoded')->{status}, 415, 'a form');
is($admin->ask('POST', 'users/end', body => '{"user":"mary"}',
    type => undef)->{status}, 415, 'no type');
is($admin->ask('POST', 'users/end', body => '{"user":"mary"}',
    type => 'application/jsonx')->{status}, 415, 'nearly the type');
is($admin->ask('POST', 'users/end', body => '{"user":"nobody"}',
    type => 'Application/JSON; charset=utf-8')->{status}, 202,
    'with a parameter');
is($admin->ask('POST', 'users/end', body => '{"user":"mary"'
    . ' ' x 16384 . '}')->{status}, 413, 'too long');

my $long = sprintf "%x\r\n%s\r\n0\r\n\r\n", 20000, ' ' x 20000;

is($admin->ask('POST', 'users/end', type => undef, headers => [
    'Transfer-Encoding: chunked', 'Content-Type: application/json', '', $long ])
    ->{status}, 413, 'too long in chunks');

# a foreign page

my @evil = (headers => [ 'Origin: http://evil.example' ]);

is($admin->post('users/end', { user => 'mary' }, @evil)->{status}, 403,
    'a foreign origin');
is($admin->del('leases/sip:u001@acme.ims.operator.example', @evil)->{status},
    403, 'takes nothing');
is($admin->get('leases', @evil)->{status}, 200, 'reading is for CORS to say');

# all pools

is($all->ask('GET', '/leases', plain => 1)->{status}, 404, 'which pool?');
is($all->ask('GET', '/pools/other/leases', plain => 1)->{status}, 404,
    'an unknown one');
is($all->ask('GET', 'x', plain => 1)->{status}, 404, 'not below the location');

is($admin->get('leases?state=leased')->{json}{leases}[0]{user}, 'mary',
    'nothing was changed');
is($admin->wrong(), '', 'as docs/admin-api.yaml says');
