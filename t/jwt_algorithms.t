#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Each algorithm, with tokens that other libraries made (Crypt::JWT, for Ed448
# the openssl command), by keys from JWK, a JWK set, PEM and a certificate; and
# no key with the algorithm of another.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use Crypt::PK::ECC;
use Crypt::PK::Ed25519;
use Crypt::PK::RSA;
use IMS::Browser;
use IMS::Conf;
use IMS::JWT;
use IO::Socket::SSL::Utils;
use JSON::PP qw/ encode_json /;
use MIME::Base64 qw/ encode_base64url decode_base64 /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /);

my $jwt = IMS::JWT->new($t);
my $dir = $t->testdir();

my %key = (
    HS => 'x' x 64,
    RS => Crypt::PK::RSA->new()->generate_key(256),
    ES256 => Crypt::PK::ECC->new()->generate_key('secp256r1'),
    ES384 => Crypt::PK::ECC->new()->generate_key('secp384r1'),
    ES512 => Crypt::PK::ECC->new()->generate_key('secp521r1'),
    EdDSA => Crypt::PK::Ed25519->new()->generate_key(),
);

# algorithm and key

my @algs = (
    (map { [ "HS$_", 'HS' ] } 256, 384, 512),
    (map { ([ "RS$_", 'RS' ], [ "PS$_", 'RS' ]) } 256, 384, 512),
    (map { [ "ES$_", "ES$_" ] } 256, 384, 512),
    [ 'EdDSA', 'EdDSA' ],
);

$t->plan(2 * @algs + 4 + 7 + 5);

# Ed448, which Crypt::JWT lacks

system("openssl genpkey -algorithm ed448 -out $dir/ed448.key 2>$dir/ssl.log");
system("openssl pkey -in $dir/ed448.key -pubout -out $dir/ed448.pem");

sub ed448 {
    my ($alg, $claims) = @_;
    my $text = encode_base64url(qq({"alg":"$alg"})) . '.'
        . encode_base64url(encode_json($claims));

    $t->write_file('text', $text);
    system("openssl pkeyutl -sign -rawin -inkey $dir/ed448.key "
        . "-in $dir/text -out $dir/sig") == 0 or die "openssl failed\n";

    return "$text." . encode_base64url($t->read_file('sig'));
}

(my $x = $t->read_file('ed448.pem')) =~ s/-----.*?-----//g;

my $ed448 = { kty => 'OKP', crv => 'Ed448', kid => '448',
    x => encode_base64url(substr decode_base64($x), -57) };

sub jwk {
    my ($name) = @_;

    return { kty => 'oct', k => encode_base64url($key{$name}), kid => $name }
        unless ref $key{$name};

    my $jwk = $key{$name}->export_key_jwk('public', 1);

    return { %$jwk, kid => $name };
}

$t->write_file('all.jwks', encode_json({ keys => [
    # what others may publish beside them
    { kty => 'RSA', use => 'enc', n => 'AQAB', e => 'AQAB' },
    { kty => 'EC', crv => 'secp256k1', x => 'AA', y => 'AA' },
    { kty => 'AKP', alg => 'ML-DSA-44', pub => 'AA' },
    $ed448, map { jwk($_) } sort keys %key
] }));
$t->write_file('one.jwk', encode_json(jwk('ES256')));
$t->write_file('pem', join "a comment\n", $key{RS}->export_key_pem('public_x509'),
    $key{ES384}->export_key_pem('public_short'),
    $key{EdDSA}->export_key_pem('public'), $t->read_file('ed448.pem'));

my ($cert, $pkey) = CERT_create(CA => 1, subject => { commonName => 'login' });

$t->write_file('cert.pem', PEM_cert2string($cert));

# whatever a set that is published has in it

$t->write_file('published.jwks', encode_json({ keys => [
    { kty => 'RSA', kid => 'weak', n => encode_base64url("\xff" x 128),
        e => 'AQAB' },
    { kty => 'EC', kid => 'broken', crv => 'P-256', x => 'AA', y => 'AA' },
    { kty => 'oct', kid => 'HS', k => encode_base64url($key{HS}) },
    jwk('ES256') ] }));
chmod 0600, "$dir/all.jwks";

$t->write_file_expand('nginx.conf', ims_conf(
    key => 'file=%%TESTDIR%%/all.jwks', server => join "\n",
    'root %%TESTDIR%%;', map { <<"EOC" } qw! file=one.jwk file=pem!,
        location = /$_/session {
            ims_portal_session acme;
            ims_portal_jwt_key $_;
        }
EOC
    'file=cert.pem', 'request=/published.jwks'));

$t->run();

sub status {
    my ($where, $token) = @_;

    my $status = IMS::Browser::api('POST', path => "/$where/session",
        token => $token)->{status};

    return $status =~ /^20[01]$/ ? 'good' : $status;
}

sub token {
    my ($alg, $name) = @_;

    return $jwt->sign($alg, $jwt->claims('mary'), key => $key{$name},
        header => { kid => $name });
}

for my $case (@algs) {
    my ($alg, $name) = @$case;
    my $token = token($alg, $name);

    is(status('ims', $token), 'good', $alg);

    my $n = length($token) - 20;
    substr($token, $n, 1) = substr($token, $n, 1) eq 'A' ? 'B' : 'A';

    is(status('ims', $token), 401, "$alg with a changed signature");
}

my $claims = $jwt->claims('mary');

is(status('ims', ed448('EdDSA', $claims)), 'good', 'EdDSA with Ed448');
is(status('ims', ed448('Ed448', $claims)), 'good', 'Ed448 by its name');
is(status('ims', ed448('Ed25519', $claims)), 401, 'not as Ed25519');
is(status('file=pem', ed448('EdDSA', $claims)), 'good', 'from PEM');

is(status('file=one.jwk', token('ES256', 'ES256')), 'good', 'one JWK');
is(status('file=pem', token('PS384', 'RS')), 'good', 'RSA from PEM');
is(status('file=pem', token('ES384', 'ES384')), 'good', 'EC from PEM');
is(status('file=pem', token('EdDSA', 'EdDSA')), 'good', 'Ed25519 from PEM');
is(status('file=cert.pem', $jwt->sign('RS256', $claims,
    key => Crypt::PK::RSA->new(\PEM_key2string($pkey)),
    header => { kid => 'x' })), 'good', 'a certificate');
is(status('request=/published.jwks', token('ES256', 'ES256')), 'good',
    'a good key among bad ones that are published');
is(status('request=/published.jwks', token('HS256', 'HS')), 401,
    'a secret that is published');

# no key with the algorithm of another

is(status('ims', token('HS256', 'HS')), 'good', 'HS256 with a secret');
is(status('ims', $jwt->sign('HS256', $claims, header => { kid => 'RS' },
    key => $key{RS}->export_key_pem('public'))), 401, 'a public key as secret');
is(status('ims', $jwt->sign('ES256', $claims, key => $key{ES256},
    header => { kid => 'ES384' })), 401, 'P-256 with the id of P-384');
is(status('ims', $jwt->raw('{"alg":"none","kid":"ES256"}',
    encode_json($claims))), 401, 'none');
like(IMS::Browser::api('POST', token => 'eyJhbGciOiJSU0EtT0FFUCJ9.YQ.YQ.YQ.YQ')
    ->{head}, qr/^WWW-Authenticate:.*token is encrypted, which is not supp/mi,
    'an encrypted token is told clearly');

# a sub holds it: the two tests of its own come now, not too late

undef $t;
