#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The header of a token is untrusted text: a kid that is a path, SQL or very
# long names no key, addresses and keys in it are never used, and what it calls
# critical is not known here (RFC 8725 3.9, 3.10; RFC 7515 4.1).

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use Crypt::PK::ECC;
use IMS::Attack;
use IMS::JWT;
use IO::Select;
use IO::Socket::INET;
use JSON::PP qw/ encode_json decode_json /;
use MIME::Base64 qw/ encode_base64 /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /);

my $jwt = IMS::JWT->new($t);
my $attack = IMS::Attack->new($t, $jwt);
my $good = $attack->claims('mary');
my @bad;

# kid: JSON text, as it stands in the header

my %kid = (
    'a path' => '"../../../../../../../../etc/passwd"',
    'an empty file' => '"/dev/null"',
    'the key file' => '"login.jwks"',
    'the key and a NUL' => '"e1\u0000"',
    'a NUL and the key' => '"\u0000e1"',
    'the key in capitals' => '"E1"',
    'the key with a space' => '"e1 "',
    'a cut of the key' => '"e"',
    'nothing' => '""',
    'SQL' => '"e1\' UNION SELECT \'a secret\'; --"',
    'a command' => '"e1|/bin/id;`id`$(id)"',
    'a format' => '"%s%n%V%p%x"',
    'a variable of nginx' => '"$remote_addr${uri}"',
    'line feeds' => '"e1\r\n2026/01/01 00:00:00 [alert] 1#1: forged"',
    'escape sequences' => '"\u001b[2J\u0007\u007f\u009b"',
    'quotes' => '"\"e1\\\\\""',
    'look-alikes' => '"\u0435\uff11"',
    '10 KB' => '"' . 'k' x 10240 . '"',
    'a number' => '1',
    'null' => 'null',
    'a list' => '["e1"]',
    'an object' => '{"kid":"e1"}',
);

push @bad, [ "kid: $_", $attack->forge("{\"alg\":\"ES256\",\"kid\":$kid{$_}}",
    $good, 'ES256') ] for sort keys %kid;

# signed with the secret that a file of nothing would give

push @bad, [ 'kid: /dev/null, the secret is empty', $attack->forge(
    { alg => 'HS256', kid => '/dev/null' }, $good, 'HS256', '') ];

# an attacker's key, offered in each way that RFC 7515 knows; it shall not be
# used, and nobody shall be asked for it

my $evil = Crypt::PK::ECC->new()->generate_key('secp256r1');
my $jwk = { %{decode_json($evil->export_key_jwk('public'))}, kid => 'e1' };
my $url = 'http://127.0.0.1:' . port(8085) . '/keys';
my $der = encode_base64($evil->export_key_der('public'), '');

my %offer = (
    jwk => $jwk, jku => $url, x5u => $url, x5c => [ $der ],
    'x5t#S256' => b64('x' x 32), x5t => b64('x' x 20),
);

for my $kid ('e1', 'e9', undef) {
    for my $name (sort keys %offer) {
        push @bad, [ "$name, kid " . ($kid || 'none'), $attack->forge(
            { alg => 'ES256', $name => $offer{$name},
            (defined $kid ? (kid => $kid) : ()) }, $good, 'ES256', $evil) ];
    }
}

push @bad, [ 'all of them', $attack->forge({ alg => 'ES256', kid => 'e1',
    %offer }, $good, 'ES256', $evil) ];

# critical extensions

my %crit = (
    'a known claim' => '["exp"],"exp":1', 'b64' => '["b64"],"b64":false',
    'b64 true' => '["b64"],"b64":true', 'empty' => '[]', 'null' => 'null',
    'a string' => '"exp"', 'its own name' => '["crit"]', 'alg' => '["alg"]',
    'unknown' => '["http://example.com/UNDEFINED"],'
        . '"http://example.com/UNDEFINED":true',
    'false' => 'false', 'a number' => '0',
);

push @bad, [ "crit: $_", $attack->forge("{\"alg\":\"ES256\",\"kid\":\"e1\","
    . "\"crit\":$crit{$_}}", $good, 'ES256') ] for sort keys %crit;

# an unencoded payload of RFC 7797, signed as that says

my $head = b64('{"alg":"ES256","kid":"e1","b64":false,"crit":["b64"]}');
my $plain = encode_json($good) =~ s/\.//gr;

push @bad, [ 'payload as it is', "$head.$plain."
    . b64($attack->signature("$head.$plain", 'ES256')) ];

$t->plan(@bad + 5);
$t->write_file_expand('nginx.conf', attack_conf());
$t->run();

# what they would have to connect to

my $listen = IO::Socket::INET->new(Listen => 5, Proto => 'tcp',
    LocalAddr => '127.0.0.1:' . port(8085)) or die "can't listen: $!\n";

$attack->refused(@$_) for @bad;

# what is offered beside a good signature is not looked at

$attack->accepted('offers beside a good signature', $attack->forge(
    { alg => 'ES256', kid => 'e1', %offer }, $good, 'ES256'));
$attack->accepted('unknown members', $attack->forge({ alg => 'ES256',
    kid => 'e1', typ => 'at+jwt', cty => 'x', zip => 'DEF', x => { y => [] } },
    $good, 'ES256'));
$attack->accepted('no kid', $attack->forge({ alg => 'ES256' }, $good,
    'ES256'));

ok(!IO::Select->new($listen)->can_read(0.3), 'nobody was asked for keys');

$attack->still_serves();
