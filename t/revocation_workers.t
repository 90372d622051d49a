#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Who is revoked is so in all workers within a second, by the form and by the
# file, and what comes before a worker looks again is refused all the same.

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

my $t = Test::Nginx->new()->has(qw/ http /)->plan(12);

my $jwt = IMS::JWT->new($t);

$t->write_file('revoked.txt', '');
$t->write_file_expand('nginx.conf', ims_conf(
    workers => 3,
    pool => 'devices 20; revoked file=revoked.txt;',
    server => 'location = /ims/revoke { ims_portal_revocation acme; }'));
$t->run();

my $core = IMS::Core->new()->registrar();

sub revoke {
    my ($form) = @_;

    return http("POST /ims/revoke HTTP/1.0\x0d\x0aHost: localhost\x0d\x0a"
        . 'Content-Length: ' . length($form) . "\x0d\x0a"
        . "Content-Type: application/x-www-form-urlencoded\x0d\x0a\x0d\x0a"
        . $form) =~ m!^HTTP/1.\d (\d+)! ? $1 : 'none';
}

sub browsers {
    my ($n, $user, %claims) = @_;

    my @web = map {
        IMS::Browser->open(token => $jwt->token($user, %claims))
    } 1 .. $n;

    $_->emit($_->register_request()->bytes()) for @web;

    is(scalar(grep { $_->final('REGISTER')->{code} == 200 } @web), $n,
        "$user is registered");

    return @web;
}

# how many are closed with 4403, and after how many seconds the last one

sub ended {
    my (@web) = @_;

    my $since = Time::HiRes::time();
    my $n = grep { ($_->closed(3) || 0) == 4403 } @web;

    return ($n, Time::HiRes::time() - $since);
}

my @mary = browsers(12, 'mary', iat => time() - 10);
my @bob = browsers(12, 'bob', jti => 'bob');
my @ann = browsers(2, 'ann');

is(revoke('sub=mary'), 204, 'a user is revoked');

my ($n, $took) = ended(@mary);

is($n, 12, 'all her sockets end');
cmp_ok($took, '<', 1.2, 'within a second');

$t->write_file('revoked.new', "jti bob\n");
rename $t->testdir() . '/revoked.new', $t->testdir() . '/revoked.txt';

($n, $took) = ended(@bob);

is($n, 12, 'the same by the file');
cmp_ok($took, '<', 1.4, 'as soon');
is(scalar(grep { $_->is_open() } @ann), 2, 'others are not concerned');

# a request right behind the revocation

my @old = map { IMS::Browser->open(token => $jwt->token('eve',
    iat => time() - 10)) } 1 .. 6;

$_->register() for @old;
$core->forget();

is(revoke('sub=eve'), 204, 'another is revoked');
$_->start('MESSAGE', body => 'hi') for @old;

($n) = ended(@old);

is($n, 6, 'her sockets end');
is(scalar $core->seen('MESSAGE'), 0, 'nothing of hers came to the core');
