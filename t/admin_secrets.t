#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The administration API: no answer has a secret, token, key or flow token in
# it; and what fails in its configuration.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Admin;
use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use MIME::Base64 qw/ encode_base64url /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(13);

my $jwt = IMS::JWT->new($t);
my $location = 'location /ims/admin/ { ims_portal_admin acme; }';

$t->write_file_expand('nginx.conf', ims_conf(
    server => $location . 'location /ims/all { ims_portal_admin *; }'));

# bad configurations

my $n = 0;

for my $bad ([ 'location = /a { ims_portal_admin acme; }', 'prefix' ],
    [ 'location ~ ^/a { ims_portal_admin acme; }', 'prefix' ],
    [ 'location @a { ims_portal_admin acme; }', 'prefix' ],
    [ 'location /a { ims_portal_admin other; }', 'unknown ims_portal_pool' ],
    [ 'location /a { ims_portal_admin; }', 'number of arguments' ],
    [ 'location /a { ims_portal_admin acme; ims_portal_admin *; }',
        'is duplicate' ])
{
    $t->write_file_expand('bad' . ++$n, ims_conf(server => $bad->[0]));
    like(ims_check($t, "bad$n"), qr/\[emerg\] .*$bad->[1]/, $bad->[0]);
}

$t->run();

my $core = IMS::Core->new()->registrar();
my $admin = IMS::Admin->new();
my $all = IMS::Admin->new(base => '/ims/all', said => $admin->{said});

my $token = $jwt->token('mary');
my $mary = IMS::Browser->open(token => $token);

$mary->register();

my ($reg) = $core->seen('REGISTER');
my ($flow) = $reg->h('Contact') =~ /(b[0-9a-f]{40})/;

ok($flow, 'the core knows her by a flow token');

# everything that can be asked

my ($s) = $admin->all('sessions');

$admin->all('leases');
$admin->get($_) for '', 'drain', 'users/block', "sessions/$s->{id}",
    "leases/$mary->{impu}", 'leases?search=%';
$admin->ask('GET', 'nothing', plain => 1);
$all->ask('GET', $_, plain => 1) for '', '/drain', '/pools/acme/leases',
    '/pools/acme/sessions', '/pools/acme';
$admin->post('users/block', { user => 'bob', for => 60 });
$admin->get('users/block');
$admin->del('users/block?user=bob');
$admin->post('users/move', { user => 'mary',
    identity => 'sip:u150@acme.ims.operator.example' });
$admin->post('users/end', { user => 'mary' });
$admin->post('drain', { on => \0 });
$admin->del('leases/sip:u150@acme.ims.operator.example');

cmp_ok(scalar @{$admin->{said}}, '>', 15, 'many answers');

my $said = join "\n", @{$admin->{said}};
my @secrets = ($token, (split /\./, $token)[2], $flow, $jwt->{key}{HS256},
    encode_base64url($jwt->{key}{HS256}), 'secret of thirty', 'eyJ');

is(join(' ', grep { index($said, $_) >= 0 } @secrets), '', 'no secret');
unlike($said, qr/b[0-9a-f]{30}/, 'nor what looks like a flow token');
unlike($said, qr/login\.jwks|"kid"/, 'nor keys');
like($said, qr/"mary"/, 'but what was asked for');
is($admin->wrong(), '', 'as docs/admin-api.yaml says');
