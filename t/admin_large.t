#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The administration API with 100,000 identities: a page takes milliseconds, a
# search that finds nothing ends early, with a cursor, and nobody waits for it.

use warnings;
use strict;

use FindBin;
use Test::More;
use Time::HiRes qw/ time /;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Admin;
use IMS::Browser;
use IMS::Conf;
use IMS::JWT;
use IMS::Loop;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(12);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    workers => 2, zone => '600m',
    identity => 'tel:+1555[0000001-0100000] impi=$number@ims.operator.example',
    server => 'location /ims/admin/ { ims_portal_admin acme; }'));

$t->run();

my $admin = IMS::Admin->new();

IMS::Browser::api('POST', token => $jwt->token($_)) for qw/ mary bob /;

is($admin->get('')->{json}{identities}, 100_000, 'many identities');

# the best of some: the machine may be busy with something else

sub best {
    my ($path) = @_;

    my $best;

    for (1 .. 5) {
        my $begin = time();
        http_get("/ims/admin/$path");
        my $took = time() - $begin;

        $best = $took if !defined $best || $took < $best;
    }

    return ($admin->get($path), $best);
}

my ($r, $took) = best('leases?limit=1000&cursor=50000');

is(scalar @{$r->{json}{leases}}, 1000, 'a page of a thousand');
is($r->{json}{leases}[0]{identity}, 'tel:+15550050001', 'in the middle');
cmp_ok($took, '<', 0.25 * $IMS::Loop::SLOW, 'in a moment');

# a search

($r, $took) = best('leases?search=nobody');

is(scalar @{$r->{json}{leases}}, 0, 'nothing found');
ok(defined $r->{json}{next}, 'but there is more');
cmp_ok($took, '<', 0.25 * $IMS::Loop::SLOW, 'soon');

my @found = $admin->all('leases?search=0099999');

is(scalar @found, 1, 'found at the end');
is($found[0]{identity}, 'tel:+15550099999', 'that one');

is(join(' ', map { $_->{user} } $admin->all('leases?state=leased')),
    'mary bob', 'who has one is found among all');

# others are served meanwhile

my $best = 10;

for my $n (1 .. 10) {
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1:'
        . Test::Nginx::port(8080)) or die "can't connect: $!\n";

    print $s "GET /ims/admin/leases?search=nobody HTTP/1.0\r\n\r\n";

    my $begin = time();
    IMS::Browser::api('POST', token => $jwt->token("user$n"));
    $took = time() - $begin;
    $best = $took if $took < $best;
}

cmp_ok($best, '<', 0.25 * $IMS::Loop::SLOW, 'a log-in does not wait');

is($admin->wrong(), '', 'as docs/admin-api.yaml says');
