#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The administration API: identities, page by page, searched, and one of them.

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
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(54);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    quarantine => '1h',
    server => 'location /ims/admin/ { ims_portal_admin acme; }'
        . 'location /ims/all { ims_portal_admin *; }'));

$t->run();

my $core = IMS::Core->new()->registrar(headers => [
    'P-Associated-URI' => '"M" <tel:+15551000>, <sip:m@acme.example>' ]);
my $admin = IMS::Admin->new();

sub id { return sprintf 'sip:u%03d@acme.ims.operator.example', $_[0] }

# nobody is there

my $r = $admin->get('');

is($r->{status}, 200, 'overview');
is($r->{json}{pool}, 'acme', 'of the pool');
is($r->{json}{identities}, 200, 'with its identities');
is($r->{json}{leased}, 0, 'of which none is leased');
is($r->{json}{counters}{calls}, 0, 'counters');
ok(!$r->{json}{drain}{on}, 'in service');

my @all = $admin->all('leases', limit => 7);

is(scalar @all, 200, 'all identities, by 7');
is_deeply([ map { $_->{identity} } @all ], [ map { id($_) } 1 .. 200 ],
    'in their order');
is(scalar(grep { $_->{state} eq 'free' } @all), 200, 'free');
is($all[0]{user}, undef, 'of nobody');

$r = $admin->get('leases');
is(scalar @{$r->{json}{leases}}, 100, 'a page has 100');
is($r->{json}{next}, '100', 'and a next one');
$r = $admin->get('leases?limit=1000');
is(scalar @{$r->{json}{leases}}, 200, 'all in one page');
is($r->{json}{next}, undef, 'which is the last');
$r = $admin->get('leases?cursor=4000000');
is_deeply($r->{json}, { leases => [], next => undef }, 'behind the end');

# three users, one of them registered

IMS::Browser::api('POST', token => $jwt->token($_)) for qw/ bob Carol /;

my $mary = IMS::Browser->open(token => $jwt->token("M\x{e4}ry Smith"));
$mary->register();

my $now = time();
my ($l) = $admin->all('leases?search=u003');

is($l->{identity}, id(3), 'found by a part of the identity');
is($l->{state}, 'leased', 'leased');
is($l->{user}, "M\x{e4}ry Smith", 'user');
is($l->{issuer}, IMS::JWT::ISSUER, 'issuer');
cmp_ok(abs($l->{since} - $now), '<', 10, 'since');
cmp_ok(abs($l->{expires} - $now - 12 * 3600), '<', 10, 'expires');
is($l->{sessions}, 1, 'one session');
is($l->{away}, 0, 'that is here');
is($l->{calls}, 0, 'no call');
ok(!$l->{leaving}, 'stays');
ok(!$l->{blocked}, 'not blocked');
is_deeply($l->{aliases}, [ 'tel:+15551000', 'sip:m@acme.example' ],
    'aliases');

is_deeply([ map { $_->{user} } $admin->all('leases?search=CAROL') ],
    [ 'Carol' ], 'found by the user, any case');
is_deeply([ map { $_->{user} } $admin->all('leases?search=ry%20s') ],
    [ "M\x{e4}ry Smith" ], 'with a space');
is(scalar $admin->all('leases?search=ry+s'), 0, 'a plus is a plus');
is_deeply([ map { $_->{user} } $admin->all('leases?user=bob') ], [ 'bob' ],
    'a whole user');
is(scalar $admin->all('leases?user=bo'), 0, 'not a part of one');
is(scalar $admin->all('leases?user=bob&issuer=https://other.example'), 0,
    'issuer counts');
is(scalar $admin->all('leases?state=leased', limit => 1), 3, 'leased ones');
is(scalar $admin->all('leases?state=free'), 197, 'free ones');
is(scalar $admin->all('leases?state=resting'), 0, 'resting ones');
is($admin->get('')->{json}{leased}, 3, 'counted');
is($admin->get('')->{json}{sockets}, 1, 'with the socket');

# one of them

$r = $admin->get('leases/' . id(3));
is($r->{status}, 200, 'one identity');
is($r->{json}{private_identity}, 'u003@ims.operator.example',
    'with its private one');
is($admin->get('leases/sip%3Au003%40acme.ims.operator.example')
    ->{json}{user}, "M\x{e4}ry Smith", 'percent-encoded');
is($admin->get('leases/sip:u003@ACME.ims.operator.example')
    ->{json}{user}, "M\x{e4}ry Smith", 'compared as URIs are');
is($admin->get('leases/sip:u999@acme.ims.operator.example')->{status}, 404,
    'not of the pool');

$r = $admin->ask('HEAD', 'leases');
is($r->{status}, 200, 'HEAD');
is($r->{body}, '', 'has no body');

# released

$r = $admin->del('leases/' . id(1));
is($r->{status}, 204, 'released at once without a session');
is($admin->get('leases/' . id(1))->{json}{state}, 'resting', 'rests');
is($admin->get('leases?state=resting')->{json}{leases}[0]{user}, 'bob',
    'its former user is told');
is($admin->del('leases/' . id(1))->{status}, 409, 'only once');
is($admin->del('leases/' . id(2) . '?quarantine=0')->{status}, 204,
    'without quarantine');
is($admin->get('leases/' . id(2))->{json}{state}, 'free', 'is free');

# all pools

my $all = IMS::Admin->new(base => '/ims/all');

is($all->ask('GET', '', plain => 1)->{json}{pools}[0]{pool}, 'acme',
    'all pools');
is($all->ask('GET', '/pools/acme/leases?state=leased', plain => 1)
    ->{json}{leases}[0]{identity}, id(3), 'one of them');

is($admin->wrong(), '', 'as docs/admin-api.yaml says');
