#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The algorithm of a token is the key's, whatever its header says: none, a
# public key used as a secret, the algorithm of another key, encrypted tokens
# (RFC 8725 2.1, 3.1, 3.2).

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use Crypt::PK::ECC;
use IMS::Attack;
use IMS::JWT;
use JSON::PP qw/ encode_json /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /);

my $jwt = IMS::JWT->new($t, rsa => 1);
my $attack = IMS::Attack->new($t, $jwt);
my $good = $attack->claims('mary');
my @bad;

# no signature, under all names of it, with and without a key's name

for my $alg (qw/ none None NONE nOnE noNe /, '', ' none', "none\0", 'null') {
    my $name = $alg =~ s/\0/\\0/r;

    push @bad, [ "alg \"$name\"", $attack->forge({ alg => $alg }, $good,
        'none') ];
    push @bad, [ "alg \"$name\", kid of a secret", $attack->forge(
        { alg => $alg, kid => 'h1' }, $good, 'HS256') ]
}

push @bad,
    [ 'no alg', $attack->forge({ kid => 'e1' }, $good, 'ES256') ],
    [ 'alg null', $attack->forge({ alg => undef }, $good, 'none') ],
    [ 'alg a list', $attack->forge({ alg => [ 'ES256' ] }, $good, 'ES256') ],
    [ 'alg an object', $attack->forge({ alg => {} }, $good, 'none') ],
    [ 'alg a number', $attack->forge('{"alg":256}', $good, 'none') ],
    [ 'alg true', $attack->forge('{"alg":true}', $good, 'none') ],
    [ 'alg in small letters', $attack->forge({ alg => 'es256' }, $good,
        'ES256') ],
    [ 'alg of RFC 8812', $attack->forge({ alg => 'ES256K', kid => 'e1' },
        $good, 'ES256') ],
    [ 'alg with a space', $attack->forge({ alg => 'ES256 ' }, $good,
        'ES256') ];

push @bad, [ "$_ without a signature", $attack->forge({ alg => $_ }, $good,
    'none') ] for qw/ HS256 ES256 RS256 PS256 EdDSA /;

# a public key as the secret of an HMAC, in every form that an attacker may
# have it in

for my $kind (qw/ RS256 ES256 /) {
    my $key = $jwt->{key}{$kind};
    my $pem = $key->export_key_pem('public');

    my %form = (
        PEM => $pem, 'PEM without its last line feed' => $pem =~ s/\n\z//r,
        'PEM with CR LF' => $pem =~ s/\n/\r\n/gr,
        DER => $key->export_key_der('public'),
        JWK => $key->export_key_jwk('public'),
        'JWK as in the file' => encode_json($jwt->jwk($kind)),
        'nothing' => '',
    );

    for my $name (sort keys %form) {
        my $kid = $jwt->{kid}{$kind};

        push @bad, [ "HS256, secret: $name of $kind", $attack->forge(
            { alg => 'HS256', kid => $kid }, $good, 'HS256', $form{$name}) ];
        push @bad, [ "HS256, secret: $name of $kind, no kid", $attack->forge(
            { alg => 'HS256' }, $good, 'HS256', $form{$name}) ];
    }
}

# the right key, another algorithm of its kind: the file binds each to one

push @bad,
    [ 'PS256 by the key of RS256', $attack->forge({ alg => 'PS256',
        kid => 'r1' }, $good, 'PS256', $jwt->{key}{RS256}) ],
    [ 'a PS256 signature said to be RS256', $attack->forge({ alg => 'RS256',
        kid => 'r1' }, $good, 'PS256', $jwt->{key}{RS256}) ],
    [ 'an RS256 signature said to be PS256', $attack->forge(
        { alg => 'PS256', kid => 'r1' }, $good, 'RS256') ],
    [ 'RS512 by the key of RS256', $attack->forge({ alg => 'RS512',
        kid => 'r1' }, $good, 'RS512', $jwt->{key}{RS256}) ],
    [ 'HS512 by the secret of HS256', $attack->forge({ alg => 'HS512',
        kid => 'h1' }, $good, 'HS512', $jwt->{key}{HS256}) ],
    [ 'ES256 under the kid of the secret', $attack->forge({ alg => 'ES256',
        kid => 'h1' }, $good, 'ES256') ],
    [ 'HS256 under the kid of ES256', $attack->forge({ alg => 'HS256',
        kid => 'e1' }, $good, 'HS256') ];

# what is no JWS in compact form

my $token = $jwt->token('mary');
my ($h, $p, $s) = split /\./, $token;
my $jwe = compact({ alg => 'dir', enc => 'A256GCM' }, 'x');

push @bad,
    [ 'JWE', join('.', b64('{"alg":"dir","enc":"A256GCM"}'), '', b64('iv'),
        b64('text'), b64('tag')), qr/encrypted/ ],
    [ 'JWE of five good parts', join('.', $h, $p, $s, $h, $p),
        qr/encrypted/ ],
    [ 'JWE header, three parts', "$jwe." . b64('x') ],
    [ 'JWS in JSON, flattened', encode_json({ protected => $h, payload => $p,
        signature => $s }) ],
    [ 'JWS in JSON, with a list', encode_json({ payload => $p,
        signatures => [ { protected => $h, signature => $s } ] }) ],
    [ 'the same in base64url', b64(encode_json({ protected => $h,
        payload => $p, signature => $s })) ],
    [ 'two signatures', "$token.$s" ],
    [ 'two signatures in one', "$h.$p.$s$s" ],
    [ 'a token twice', "$token.$token" ],
    [ 'a token as payload', $attack->forge({ alg => 'ES256', kid => 'e1',
        cty => 'JWT' }, $token, 'ES256') ];

$t->plan(@bad + 4);
$t->write_file_expand('nginx.conf', attack_conf());
$t->run();

$attack->refused(@$_) for @bad;

$attack->accepted($_, $attack->forge($attack->header($_), $good, $_))
    for qw/ ES256 RS256 HS256 /;

$attack->still_serves();
