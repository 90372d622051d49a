#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Signatures at their edges: r and s that every curve has, wrong lengths, DER,
# keys of other curves, points of small order (RFC 7518 3.4, RFC 8032 5.1.7),
# and the second form of an ECDSA signature that anybody can make of one.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use Crypt::PK::ECC;
use Crypt::PK::Ed25519;
use IMS::Attack;
use IMS::JWT;
use JSON::PP qw/ encode_json decode_json /;
use Math::BigInt;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /);

my $jwt = IMS::JWT->new($t, rsa => 1);
my $attack = IMS::Attack->new($t, $jwt);
my $good = $attack->claims('mary');

my %more = (
    ES384 => Crypt::PK::ECC->new()->generate_key('secp384r1'),
    ES512 => Crypt::PK::ECC->new()->generate_key('secp521r1'),
    EdDSA => Crypt::PK::Ed25519->new()->generate_key(),
);

my %kid = (ES384 => 'e3', ES512 => 'e5', EdDSA => 'd1');

$jwt->{key}{$_} = $more{$_} for keys %more;
$jwt->{kid}{$_} = $kid{$_} for keys %kid;

$t->write_file('login.jwks', encode_json({
    keys => [ map { $jwt->jwk($_) } sort keys %{$jwt->{key}} ]
}));

# the orders of P-256 and of Ed25519

my $n = Math::BigInt->from_hex('ffffffff00000000ffffffffffffffff'
    . 'bce6faada7179e84f3b9cac2fc632551');
my $l = Math::BigInt->from_hex('10000000000000000000000000000000'
    . '14def9dea2f79cd65812631a5cf5d3ed');

sub big { return pack 'H*', substr '0' x 64 . $_[0]->to_hex(), -64 }

sub ecdsa { return "$_[0]." . b64($_[1] . $_[2]) }

my $text = compact($attack->header('ES256'), $good);
my $sig = $attack->signature($text, 'ES256');
my ($r, $s) = unpack 'a32 a32', $sig;
my ($zero, $one, $order) = ("\0" x 32, "\0" x 31 . "\1", big($n));
my $max = "\xff" x 32;

# r, s

my @pairs = (
    [ 'r and s zero', $zero, $zero ], [ 'r zero', $zero, $s ],
    [ 's zero', $r, $zero ], [ 'r and s one', $one, $one ],
    [ 'r one, s zero', $one, $zero ], [ 'r zero, s one', $zero, $one ],
    [ 'r the order', $order, $s ], [ 's the order', $r, $order ],
    [ 'r and s the order', $order, $order ], [ 'r all ones', $max, $s ],
    [ 's all ones', $r, $max ], [ 'r and s swapped', $s, $r ],
    [ 'r beyond the order', big($n + 1), $s ],
    [ 's beyond the order', $r, big($n + 1) ],
    [ 'r negative', big($n - Math::BigInt->from_bytes($r)), $s ],
);

my @bad = map { [ $_->[0], ecdsa($text, $_->[1], $_->[2]) ] } @pairs;

# lengths

push @bad, [ length($_) . ' bytes', "$text." . b64($_) ]
    for $r, substr($sig, 0, 63), substr($sig, 1), "$sig\0", "\0$sig", "$r\0$s",
    "\0$r\0$s", $sig . $sig, $sig x 20, 'x', '0' x 1000;

my $der = $jwt->{key}{ES256}->sign_message($text, 'SHA256');

push @bad, [ 'DER', "$text." . b64($der) ],
    [ 'DER, 64 bytes of it', "$text." . b64(substr $der, 0, 64) ],
    [ 'DER of two zeros', "$text." . b64(pack 'H*', '3006020100020100') ],
    [ 'the digest alone', "$text." . b64($zero . $r) ];

# another curve, another key

my $other = Crypt::PK::ECC->new()->generate_key('secp256r1');
my $koblitz = Crypt::PK::ECC->new()->generate_key('secp256k1');

push @bad,
    [ 'another key', $attack->forge($attack->header('ES256'), $good, 'ES256',
        $other) ],
    [ 'another curve of 256 bits', $attack->forge($attack->header('ES256'),
        $good, 'ES256', $koblitz) ],
    [ 'ES256 under the kid of P-384', $attack->forge($attack->header('ES256',
        kid => 'e3'), $good, 'ES256') ],
    [ 'ES256, signed with P-384', $attack->forge($attack->header('ES256',
        kid => 'e3'), $good, 'ES256', $more{ES384}) ],
    [ 'ES384, signed with P-256', $attack->forge($attack->header('ES384'),
        $good, 'ES384', $jwt->{key}{ES256}) ],
    [ 'ES384 under the kid of P-256', $attack->forge($attack->header('ES384',
        kid => 'e1'), $good, 'ES384', $jwt->{key}{ES256}) ],
    [ 'ES512, signed with SHA-256', $attack->forge($attack->header('ES512'),
        $good, 'ES256', $more{ES512}) ],
    [ 'ES384 by EdDSA', $attack->forge($attack->header('ES384'), $good,
        'EdDSA') ];

# RSA: a signature of another length, of nothing, of a padding without a hash

my $rsa = compact($attack->header('RS256'), $good);

push @bad, [ "RSA: $_->[0]", "$rsa." . b64($_->[1]) ]
    for [ 'zero', "\0" x 256 ], [ 'one', "\0" x 255 . "\1" ],
    [ 'all ones', "\xff" x 256 ], [ 'a padding', "\0\1" . "\xff" x 253 . "\0" ],
    [ 'another length', $attack->signature($rsa, 'RS256') . "\0" ],
    [ 'a zero in front', "\0" . $attack->signature($rsa, 'RS256') ];

# Ed25519: R and S at their edges, and a signature with the order added, which
# is another text of the same token

my $ed = compact($attack->header('EdDSA'), $good);
my $edsig = $attack->signature($ed, 'EdDSA');
my ($R, $S) = unpack 'a32 a32', $edsig;
my $S_l = reverse big(Math::BigInt->from_bytes(scalar reverse $S) + $l);
my $neutral = "\1" . "\0" x 31;

push @bad, map { [ "EdDSA: $_->[0]", "$ed." . b64($_->[1]) ] }
    [ 'S and the order', $R . $S_l ],
    [ 'zeros', $zero . $zero ],
    [ 'R neutral, S zero', $neutral . $zero ],
    [ 'R neutral', $neutral . $S ],
    [ 'R of small order', pack('H64', 'c7176a703d4dd84fba3c0b760d10670f'
        . '2a2053fa2c39ccc64ec7fd7792ac037a') . $zero ],
    [ 'all ones', $max . $max ],
    [ '63 bytes', substr $edsig, 1 ], [ '65 bytes', "$edsig\0" ],
    [ 'nothing', '' ], [ 'of another text', $attack->signature("$ed.",
        'EdDSA') ];

$t->plan(@bad + 9);
$t->write_file_expand('nginx.conf', attack_conf());
$t->run();

$attack->refused(@$_) for @bad;

my %impu = map { $_ => $attack->accepted($_, $attack->forge(
    $attack->header($_), $good, $_)) } qw/ ES256 ES384 ES512 EdDSA RS256 /;

# (r, n - s) is as good as (r, s): it is the same user and nobody else

my $twin = ecdsa($text, $r, big($n - Math::BigInt->from_bytes($s)));

isnt($twin, "$text." . b64($sig), 'a second text of one token');
is($attack->accepted('it', $twin), $impu{ES256}, 'the same user');

$attack->still_serves();
