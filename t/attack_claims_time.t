#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Claims at the edges of their types, correctly signed: times that are no
# times, users that are no text, audiences and issuers that only look right
# (RFC 7519 4.1; RFC 8725 3.8, 3.9).

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Attack;
use IMS::Browser;
use IMS::JWT;
use JSON::PP qw/ encode_json /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /);

my $jwt = IMS::JWT->new($t);
my $attack = IMS::Attack->new($t, $jwt);
my $now = time();
my $head = $attack->header('ES256');
my (@bad, @fine);

# a token one of whose claims is this JSON text; undef: without it

sub claim {
    my ($name, $text, $sub) = @_;

    my $claims = $attack->claims($sub || 'mary', $name => undef);
    my $json = encode_json($claims);

    $json =~ s/\}\z/,"$name":$text}/ if defined $text;

    return $attack->forge($head, $json, 'ES256');
}

sub bad {
    my ($name, $text, $words) = @_;

    push @bad, [ "$name: " . (defined $text ? length $text > 40
        ? substr($text, 0, 40) . '...' : $text : 'none'),
        claim($name, $text), $words ];
}

# times: numbers of seconds, and nothing else

for my $name (qw/ exp nbf iat /) {
    my $later = $now + 3600;

    bad($name, $_) for "\"$later\"", 'null', 'true', "[$later]",
        "{\"v\":$later}", '""', 'NaN', 'Infinity', '-Infinity', '1e400',
        '9223372036854775808', '-9223372036854775809', '1' . '0' x 400,
        "0$later", "+$later", "0x7fffffff", "$later.", ".5";
}

bad('exp', $_, qr/expired/) for 0, -0, -1, 1, '-1e300', '-9223372036854775808',
    '1e-400', $now - 31, $now - 86400, ($now - 31) . '.999', '0.0',
    '4294967296e-300';
bad('exp', undef, qr/exp/);
bad('nbf', $_, qr/not yet/) for $now + 3600, '1e300', '9223372036854775807',
    ($now + 3600) . '.5';
bad('iat', $_, qr/not yet/) for $now + 3600, '1e17', '9223372036854775807';

# users: text of 1 to 255 bytes

bad('sub', $_) for 'null', '1', '1.5', 'true', 'false', '""', '[]',
    '["mary"]', '{}', '{"name":"mary"}', '"' . 'x' x 256 . '"',
    '"' . "\xc3\xa9" x 128 . '"', '"' . '\u00e9' x 128 . '"',
    '"' . 'x' x 4096 . '"', '"\u0000"';
bad('sub', undef);

# for whom

bad('aud', $_, qr/audience|aud/) for 'null', '1', 'true', '""', '[]', '{}',
    '"IMS-PORTAL"', '"ims-portal "', '" ims-portal"', '"ims-porta"',
    '"ims-portal-2"', '"ims-portal,billing"', '"ims-portal billing"',
    '[["ims-portal"]]', '[{"ims-portal":1}]', '{"ims-portal":true}',
    '{"0":"ims-portal"}', '["billing",["ims-portal"]]', '[1,null,true]',
    '"*"', '["*"]', '"ims\u2010portal"', '"ims-portal\u200b"';
bad('aud', undef);

# from whom

bad('iss', $_) for 'null', '1', 'true', '""', '{}', '[]',
    '["https://login.acme.example"]', '"https://login.acme.example/"',
    '"https://LOGIN.acme.example"', '"HTTPS://login.acme.example"',
    '"http://login.acme.example"', '"https://login.acme.example:443"',
    '"https://login.acme.example."', '"https://login.acme.example#"',
    '"https://login.acme.example.evil.example"',
    '"https://login.acme.example@evil.example"',
    '"https://evil.example/https://login.acme.example"',
    '"https://login.acm\u0435.example"', '"https://login.acme.example\u0000"',
    '" https://login.acme.example"', '"https://login.acme.exampl"';
bad('iss', undef);

$t->plan(@bad + 14);
$t->write_file_expand('nginx.conf', attack_conf());
$t->run();

$attack->refused(@$_) for @bad;

# what is unusual and right

$attack->accepted("exp: $_", claim('exp', $_)) for $now + 60.5,
    '9223372036854775807', '1e17', '9.9e9';
$attack->accepted('nbf long ago', claim('nbf', '-9223372036854775808'));
$attack->accepted('aud in a list', claim('aud', '["a",1,null,"ims-portal"]'));
$attack->accepted('aud, escaped', claim('aud', '"\u0069ms-portal"'));

# a token for ever is none for the API: what it says can be calculated with

my $r = IMS::Browser::api('GET', token => claim('exp', '9223372036854775807'));

is($r->{status}, 200, 'a token for ever');
cmp_ok($r->{json}{expires_in}, '>', 0, 'ends in the future');

# users that differ in little are two users

my %impu;

for my $sub ('"maria"', '"Maria"', '"maria "', "\"mari\xd0\xb0\"",
    '"x' . 'x' x 254 . '"')
{
    $r = IMS::Browser::api('POST', token => claim('sub', $sub));
    $impu{$r->{json}{identity} || ''}++;
}

is(scalar keys %impu, 5, 'each an identity of his own');
ok(!$impu{''}, 'and none without');

is(IMS::Browser::api('POST', token => claim('sub', '"m\u0061ria"'))
    ->{json}{identity}, IMS::Browser::api('POST', token => claim('sub',
    '"maria"'))->{json}{identity}, 'an escaped letter is a letter');

ok(IMS::Browser::api('POST', token => claim('sub', '"' . "\xc3\xa9" x 127
    . '"'))->{json}{identity}, '254 bytes of UTF-8');

$attack->still_serves();
