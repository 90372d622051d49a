#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Key files that would let anybody in: weak keys, keys of which a forged
# signature holds, secrets where public keys are wanted. Each is refused by
# nginx -t, and a reload with it leaves the keys that serve (RFC 7518 3.2, 3.3;
# RFC 8725 3.5; RFC 8032 5.1.7).

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use Crypt::PK::ECC;
use Crypt::PK::Ed25519;
use Crypt::PK::RSA;
use IMS::Attack;
use IMS::Browser;
use IMS::Conf;
use IMS::JWT;
use IMS::Loop;
use JSON::PP qw/ encode_json decode_json /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /);

my $jwt = IMS::JWT->new($t);
my $fine = $t->read_file('login.jwks');
my (@bad, @good);

sub bad { push @bad, [ $_[0], ref $_[1] ? encode_json($_[1]) : $_[1] ] }

sub jwk {
    my ($key, %more) = @_;

    return { %{decode_json($key->export_key_jwk('public'))}, %more };
}

# secrets

bad("secret of $_ bytes", { kty => 'oct', k => b64('k' x $_) })
    for 1, 16, 31;
bad("secret of $_->[0] bytes for $_->[1]", { kty => 'oct', alg => $_->[1],
    k => b64('k' x $_->[0]) }) for [ 47, 'HS384' ], [ 63, 'HS512' ],
    [ 31, 'HS256' ];
bad('empty secret', { kty => 'oct', k => '' });
bad('secret with padding', { kty => 'oct', k => b64('k' x 32) . '=' });
bad('secret that is a number', { kty => 'oct', k => 12345678 });
bad('no secret', { kty => 'oct' });
bad('secret for RS256', { kty => 'oct', k => b64('k' x 64),
    alg => 'RS256' });
bad('secret for none', { kty => 'oct', k => b64('k' x 64), alg => 'none' });
bad('a password', "correct horse battery staple, long enough\n");

# RSA

my $rsa = Crypt::PK::RSA->new()->generate_key(256);
my $weak = Crypt::PK::RSA->new()->generate_key(128);
my $n = jwk($rsa)->{n};

bad('RSA of 1024 bits', jwk($weak));
bad('RSA of 1024 bits in PEM', $weak->export_key_pem('public'));
bad('RSA of 1024 bits in PKCS #1', $weak->export_key_pem('public_x509'));
bad("RSA, e $_->[0]", { kty => 'RSA', n => $n, e => b64($_->[1]) })
    for [ 'zero', "\0" ], [ 'one', "\1" ], [ 'two', "\2" ],
    [ 'even', "\1\0\0" ], [ 'larger than 64 bits', "\1" . "\0" x 8 . "\1" ];
bad('RSA, empty e', { kty => 'RSA', n => $n, e => '' });
bad('RSA, no e', { kty => 'RSA', n => $n });
bad('RSA, no n', { kty => 'RSA', e => 'AQAB' });
bad('RSA, n zero', { kty => 'RSA', n => b64("\0" x 256), e => 'AQAB' });
bad('RSA, n even', { kty => 'RSA', n => b64("\xff" x 255 . "\xfe"),
    e => 'AQAB' });
bad('RSA, n of 2048 bits with zeros in front', { kty => 'RSA', e => 'AQAB',
    n => b64("\0" x 200 . "\xff" x 56) });
bad('RSA, n in plain base64', { kty => 'RSA', n => $n . '==', e => 'AQAB' });
bad('RSA for HS256', jwk($rsa, alg => 'HS256'));
bad('RSA for ES256', jwk($rsa, alg => 'ES256'));
bad('RSA, private', $rsa->export_key_pem('private'));
bad('RSA of 32768 bits', { kty => 'RSA', n => b64("\xff" x 4096),
    e => 'AQAB' });

# elliptic curves

my $ec = jwk(Crypt::PK::ECC->new()->generate_key('secp256r1'));

bad("curve $_, PEM", Crypt::PK::ECC->new()->generate_key($_)
    ->export_key_pem('public')) for qw/ secp192r1 secp224r1 secp256k1
    brainpoolp256r1 /;
bad('curve secp256k1', jwk(Crypt::PK::ECC->new()->generate_key('secp256k1')));
bad('curve secp256k1 under the name of P-256', jwk(Crypt::PK::ECC->new()
    ->generate_key('secp256k1'), crv => 'P-256'));
bad('P-256 under the name of P-384', { %$ec, crv => 'P-384' });
bad('P-256 for ES384', { %$ec, alg => 'ES384' });
bad('x and y zero', { %$ec, x => b64("\0" x 32), y => b64("\0" x 32) });
bad('a point beside the curve', { %$ec, y => $ec->{x} });
bad('x beyond the field', { %$ec, x => b64("\xff" x 32) });
bad('a short x', { %$ec, x => b64('x' x 31) });
bad('x with a zero in front', { %$ec, x => b64("\0" . 'x' x 32) });
bad('no y', { %$ec, y => undef });
bad('EC, private', Crypt::PK::ECC->new()->generate_key('secp256r1')
    ->export_key_pem('private'));

# points of small order of Edwards25519: for each there is a signature that
# holds for one text in eight or more, without any private key

my %small = (
    'zero' => '00' x 32,
    'zero, signed' => '00' x 31 . '80',
    'the neutral point' => '01' . '00' x 31,
    'the neutral point, signed' => '01' . '00' x 30 . '80',
    'order two' => 'ec' . 'ff' x 30 . '7f',
    'order two, signed' => 'ec' . 'ff' x 31,
    'p' => 'ed' . 'ff' x 30 . '7f',
    'p + 1' => 'ee' . 'ff' x 30 . '7f',
    'p + 1, signed' => 'ee' . 'ff' x 31,
    'order eight' => 'c7176a703d4dd84fba3c0b760d10670f'
        . '2a2053fa2c39ccc64ec7fd7792ac037a',
    'order eight, signed' => 'c7176a703d4dd84fba3c0b760d10670f'
        . '2a2053fa2c39ccc64ec7fd7792ac03fa',
    'the other of order eight' => '26e8958fc2b227b045c3f489f2ef98f0'
        . 'd5dfac05d3c63339b13802886d53fc05',
);

bad("Ed25519: $_", { kty => 'OKP', crv => 'Ed25519',
    x => b64(pack 'H*', $small{$_}) }) for sort keys %small;

my %small448 = (
    'zero' => '00' x 57,
    'the neutral point' => '01' . '00' x 56,
    'the neutral point, signed' => '01' . '00' x 55 . '80',
    'order two' => 'fe' . 'ff' x 27 . 'fe' . 'ff' x 27 . '00',
    'p' => 'ff' x 28 . 'fe' . 'ff' x 27 . '00',
);

bad("Ed448: $_", { kty => 'OKP', crv => 'Ed448',
    x => b64(pack 'H*', $small448{$_}) }) for sort keys %small448;
bad('Ed25519: zero in PEM', "-----BEGIN PUBLIC KEY-----\n"
    . 'MCowBQYDK2VwAyEA' . 'A' x 43 . "=\n-----END PUBLIC KEY-----\n");
bad('Ed25519: 31 bytes', { kty => 'OKP', crv => 'Ed25519',
    x => b64('x' x 31) });
bad('Ed25519: 33 bytes', { kty => 'OKP', crv => 'Ed25519',
    x => b64('x' x 33) });
bad('Ed25519: no x', { kty => 'OKP', crv => 'Ed25519' });
bad('X25519', { kty => 'OKP', crv => 'X25519', x => b64('x' x 32) });

# sets

bad('an empty set', { keys => [] });
bad('a set that is an object', { keys => {} });
bad('a set in a set', { keys => [ { keys => [] } ] });
bad('no kty', { keys => [ { k => b64('k' x 32) } ] });
bad('kty twice', '{"kty":"oct","kty":"RSA","k":"' . b64('k' x 32) . '"}');
bad('k twice', '{"kty":"oct","k":"' . b64('k' x 32) . '","\u006b":"'
    . b64('x' x 32) . '"}');
bad('kid a list', { kty => 'oct', k => b64('k' x 32), kid => [ 'a' ] });
bad('only for encryption', { %$ec, use => 'enc' });
bad('a good and a weak one', { keys => [ $ec, { kty => 'oct',
    k => b64('weak') } ] });
bad('65 keys', { keys => [ map { { %$ec, kid => "k$_" } } 1 .. 65 ] });
bad('deep', '{"keys":' . '[' x 5000 . ']' x 5000 . '}');
bad('not UTF-8', "{\"kty\":\"oct\",\"kid\":\"\xff\",\"k\":\"" . b64('k' x 32)
    . '"}');
bad('half a PEM', "-----BEGIN PUBLIC KEY-----\nMFkw\n");
bad('PEM of nothing', "-----BEGIN PUBLIC KEY-----\n"
    . "-----END PUBLIC KEY-----\n");
bad('nothing', '');
bad('a page of HTML', "<!DOCTYPE html>\n<html></html>\n");

@good = (
    [ 'secret of 32 bytes', { kty => 'oct', k => b64('k' x 32) } ],
    [ 'RSA, e 3', { kty => 'RSA', n => $n, e => b64("\3") } ],
    [ 'Ed25519', jwk(Crypt::PK::Ed25519->new()->generate_key()) ],
    [ 'P-521', jwk(Crypt::PK::ECC->new()->generate_key('secp521r1')) ],
);

$t->plan(@bad + @good + 3);

# the least that reads a key file: each of them costs a start of nginx -t

$t->write_file_expand('keys.conf', ims_conf(zone => '256k',
    identity => 'sip:u[1-2]@acme.ims.operator.example', key => 'file=%%TESTDIR%%/tried.jwks'));

sub said {
    my ($t, $keys) = @_;

    $t->write_file('tried.jwks', $keys);

    return ims_check($t, 'keys.conf');
}

for my $case (@bad) {
    my ($title, $keys) = @$case;
    my $said = said($t, $keys);
    my @bad;

    push @bad, 'accepted' if $said =~ /test is successful/;
    push @bad, "no words: $said" unless $said =~ /\[emerg\].*jwks/;
    push @bad, "the secret is in the words: $said"
        if $said =~ /kkkk|a2tra|correct horse|$n/;

    is(join("\n", @bad), '', "refused: $title");
}

like(said($t, encode_json($_->[1])), qr/test is successful/, "fine: $_->[0]")
    for @good;

# with a bad file a reload changes nothing

$t->write_file_expand('nginx.conf', attack_conf());
$t->run();

my $attack = IMS::Attack->new($t, $jwt);

$t->write_file('login.jwks', encode_json({ kty => 'OKP', crv => 'Ed25519',
    x => b64("\0" x 32) }));
kill 'HUP', $t->read_file('nginx.pid');

ok(IMS::Loop::wait_for(sub {
    $t->read_file('attack.log') =~ /\[emerg\].*login\.jwks/ }, 5),
    'a bad file at a reload');

my $token = $attack->forge({ alg => 'EdDSA' }, $attack->claims('mary'),
    'none') . b64("\1" . "\0" x 63);

is(IMS::Browser::api('POST', token => $token)->{status}, 401,
    'it is not in force');
$attack->still_serves();
