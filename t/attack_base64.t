#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The outer form of a token: one text for one token (RFC 7515 2, 7.1; RFC 4648
# 3.5), no more of it than a login service would write, and a portal that goes
# on when there is more.

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

# a payload whose length leaves a tail in base64: bits that mean nothing

my ($n, $h, $p, $s) = (0);

do {
    ($h, $p, $s) = split /\./, $attack->forge($attack->header('HS256'),
        $attack->claims('mary', pad => 'x' x ++$n), 'HS256');
} while length($p) % 4 != 2;

my $good = "$h.$p.$s";
my @bad;

# signed again, so that only the form is wrong

sub signed {
    my ($text) = @_;

    return "$text." . b64($attack->signature($text, 'HS256'));
}

# the next letter of the alphabet: same bytes, other bits behind them

sub tail {
    my ($text) = @_;
    my $alphabet = join '', 'A' .. 'Z', 'a' .. 'z', 0 .. 9, '-_';

    return substr($text, 0, -1) . substr $alphabet, 1
        + index($alphabet, substr $text, -1), 1;
}

push @bad,
    [ 'padding behind the payload', signed("$h.$p==") ],
    [ 'one = behind the payload', signed("$h.$p=") ],
    [ 'padding behind the header', signed("$h=.$p") ],
    [ 'padding behind the signature', "$good=" ],
    [ 'much padding', "$good====" ],
    [ 'padding within', signed("$h.=$p") ],
    [ 'bits behind the payload', signed("$h." . tail($p)) ],
    [ 'bits behind the signature', "$h.$p." . tail($s) ],
    [ 'a letter too many', "${good}A" ],
    [ 'a letter too few', substr $good, 0, -1 ],
    [ 'a byte too many', "${good}AA" ],
    [ '+ and / in the payload', signed("$h." . b64(encode_json($attack->claims(
        'mary', pad => "\x{fffd}?>\x{fffd}???>>>"))) =~ tr!-_!+/!r) ],
    [ 'a + behind', "$good+" ],
    [ 'a / behind', "$good/" ],
    [ 'a percent sign', signed("$h.$p%3D") ],
    [ 'a tilde', signed("$h.$p~~~~") ],
    [ 'a byte beyond ASCII', signed("$h.$p\xc3\xa9\xc3\xa9") ],
    [ 'empty header', signed(".$p") ],
    [ 'empty payload', signed("$h.") ],
    [ 'empty signature', "$h.$p." ],
    [ 'no signature', "$h.$p" ],
    [ 'only the payload', $p ],
    [ 'one dot', '.' ],
    [ 'two dots', '..' ],
    [ 'three dots', '...' ],
    [ 'four dots', '....' ],
    [ 'five dots', '.....' ],
    [ 'a dot in front', ".$good" ],
    [ 'a dot behind', "$good." ],
    [ 'two dots before the payload', "$h..$p.$s" ],
    [ 'two dots before the signature', "$h.$p..$s" ],
    [ 'parts in another order', "$p.$h.$s" ],
    [ 'one letter', 'x' ],
    [ 'capitals', uc $good ],
    [ 'a token in base64', b64($good) ],
    [ 'a token in itself', b64($good) . '.' . b64($good) . '.' . b64($good) ];

# every cut near the dots and the ends

push @bad, [ "cut after $_ bytes", substr $good, 0, $_ ]
    for 1, 2, length($h) - 1, length($h), length($h) + 1, length("$h.$p") - 1,
    length("$h.$p"), length("$h.$p") + 2, length($good) - 2;

# large ones, signed: 16 KiB are read; in SIP a whole message may have no more
# than that

sub padded {
    my ($size) = @_;
    my ($token, $pad) = ('', int($size * 3 / 4) - 300);

    while (length $token < $size) {
        $token = $attack->forge($attack->header('HS256'),
            $attack->claims('mary', pad => 'x' x $pad++), 'HS256');
    }

    return $token;
}

push @bad, map { [ @$_, undef, 513 ] } ([ 'one byte more than 16 KiB, or two', padded(16385) ],
    [ '20 KB', padded(20000) ],
    [ '20 KB of letters', 'A' x 20000 ],
    [ '20 KB of dots', '.' x 20000 ],
    [ '20 KB of header', $attack->forge($attack->header('HS256',
        x => 'x' x 15000), $attack->claims('mary'), 'HS256') ]);

$t->plan(@bad + 12);
$t->write_file_expand('nginx.conf', attack_conf());
$t->run();

$attack->refused(@$_) for @bad;

$attack->accepted('the token that they are made of', $good);
$attack->accepted('16,000 bytes', padded(16000));

# in the header fields of HTTP there may be more around it

my %around = (
    'a space in front' => "Authorization: Bearer  $good",
    'small letters' => "Authorization: bearer $good",
    'a space behind' => "Authorization: Bearer $good ",
);

for my $name (sort keys %around) {
    is(IMS::Browser::api('POST', headers => [ $around{$name} ])->{status},
        200, "Authorization: $name");
}

my %other = (
    'two tokens' => "Authorization: Bearer $good $good",
    'a scheme of its own' => "Authorization: $good extra",
    'folded' => "Authorization: Bearer $h.\r\n $p.$s",
    'Basic' => 'Authorization: Basic bWFyeTptYXJ5',
);

for my $name (sort keys %other) {
    like(IMS::Browser::api('POST', headers => [ $other{$name} ])->{status},
        qr/^40[01]$/, "Authorization: $name");
}

# a megabyte: nginx itself ends that

is(IMS::Browser::api('POST', token => 'x' x 2 ** 20)->{status}, 400,
    'a megabyte of cookie');
is(IMS::Browser::api('POST', headers => [ 'Authorization: Bearer '
    . '.' x 2 ** 20 ])->{status}, 400, 'a megabyte of dots');

$attack->still_serves();
