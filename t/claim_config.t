#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# What "nginx -t" says about claims that are written wrong.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Conf;
use IMS::JWT;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(25);

IMS::JWT->new($t);

# what stands in the server, or in http when it begins with "http:", and what
# nginx -t must say

my @good = (
    [ 'all kinds', join ' ', map { "ims_portal_claim $_ a.b.$_;" } qw/ user
        identity pool methods video emergency devices calls calls_per_hour
        premium_per_hour guest name / ],
    [ 'a name with dots', 'ims_portal_claim user https://acme.example/id;' ],
    [ 'what is required', 'ims_portal_jwt_require $ims_portal_claim_a $host '
        . 'error=403; ims_portal_jwt_scope a b:c;' ],
    [ 'claims in SIP', 'ims_portal_auth_sip; ims_portal_jwt_require '
        . '$ims_portal_claim_a__b $set_x;' ],
);

my @bad = (
    [ 'ims_portal_claim color blue;',
        qr/invalid value "color" in "ims_portal_claim"/ ],
    [ 'ims_portal_claim user;', qr/number of arguments in "ims_portal_claim"/ ],
    [ 'ims_portal_claim user a b;',
        qr/number of arguments in "ims_portal_claim"/ ],
    [ 'ims_portal_claim user "";', qr/invalid claim in "ims_portal_claim"/ ],
    [ 'ims_portal_claim user ' . ('x' x 256) . ';',
        qr/invalid claim in "ims_portal_claim"/ ],
    [ 'ims_portal_claim user a; ims_portal_claim user b;',
        qr/duplicate "user" in "ims_portal_claim"/ ],
    [ 'ims_portal_claim_set $x y;',
        qr/"ims_portal_claim_set" directive is not allowed here/ ],
    [ 'http:ims_portal_claim_set x y;',
        qr/invalid variable name "x" in "ims_portal_claim_set"/ ],
    [ 'http:ims_portal_claim_set $x;',
        qr/number of arguments in "ims_portal_claim_set"/ ],
    [ 'http:ims_portal_claim_set $x "";',
        qr/invalid claim in "ims_portal_claim_set"/ ],
    [ 'http:ims_portal_claim_set $host y;', qr/duplicate "host" variable/ ],
    [ 'ims_portal_jwt_require admin;',
        qr/invalid value "admin" in "ims_portal_jwt_require"/ ],
    [ 'ims_portal_jwt_require error=403;',
        qr/"ims_portal_jwt_require".* needs a variable/ ],
    [ 'ims_portal_jwt_require $host error=404;',
        qr/invalid parameter "error=404" in "ims_portal_jwt_require"/ ],
    [ 'ims_portal_jwt_require $no_such;', qr/unknown "no_such" variable/ ],
    [ 'ims_portal_auth_sip; ims_portal_jwt_require $host;',
        qr/"ims_portal_jwt_require" takes nothing but claims/ ],
    [ 'ims_portal_auth_sip; ims_portal_jwt_require '
        . '$ims_portal_claim_a$ims_portal_claim_b;',
        qr/"ims_portal_jwt_require" takes nothing but claims/ ],
    [ 'ims_portal_jwt_scope;',
        qr/number of arguments in "ims_portal_jwt_scope"/ ],
    [ 'ims_portal_jwt_scope "a b";',
        qr/invalid scope "a b" in "ims_portal_jwt_scope"/ ],
    [ 'ims_portal_jwt_scope "a\\"b";',
        qr/invalid scope "a"b" in "ims_portal_jwt_scope"/ ],
    [ 'ims_portal_jwt_scope a; ims_portal_jwt_scope b;',
        qr/"ims_portal_jwt_scope" directive is duplicate/ ],
);

$t->write_file_expand('nginx.conf', ims_conf());
$t->run();

like(said($_->[1]), qr/syntax is ok.*test is successful/s, $_->[0])
    for @good;
like(said($_->[0]), $_->[1], $_->[0]) for @bad;

sub said {
    my ($text) = @_;

    my $http = 'ims_portal_claim_set $set_x a b;';
    my $auth = $text =~ s/ims_portal_auth_sip;// ? 'both' : 'handshake';

    $http .= ' ' . substr($text, 5) if $text =~ /^http:/;
    $text = '' if $text =~ /^http:/;

    $t->write_file_expand('claim.conf', ims_conf(auth => $auth,
        http => $http, server => $text));

    return ims_check($t, 'claim.conf');
}

# the last tests are its own

undef $t;
