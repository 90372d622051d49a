#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# JSON of a token that two readers could take for two things, or that would
# cost much to read: members twice, deep nesting, what is not UTF-8 (RFC 8725
# 2.4 to 2.7; RFC 7515 10.12).

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Attack;
use IMS::JWT;
use JSON::PP qw/ encode_json /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /);

my $jwt = IMS::JWT->new($t);
my $attack = IMS::Attack->new($t, $jwt);
my $good = $attack->claims('mary');
my $head = '{"alg":"ES256","kid":"e1"}';
my $json = encode_json($good);
my $inside = substr $json, 1, -1;
my @bad;

sub header_is { return [ "header: $_[0]", $attack->forge($_[1], $good,
    'ES256') ] }
sub payload_is { return [ "payload: $_[0]", $attack->forge($head, $_[1],
    'ES256') ] }

# a payload with these members beside, or instead

sub with { return payload_is($_[0], "{$inside,$_[1]}") }

sub instead {
    my ($title, $name, $text) = @_;
    my $rest = encode_json({ map { $_ => $good->{$_} }
        grep { $_ ne $name } keys %$good });

    return payload_is($title, "{\"$name\":$text," . substr $rest, 1);
}

# members twice, in all spellings of one name

my %twice = (
    alg => [ '"alg":"none","alg":"ES256"', '"alg":"ES256","alg":"none"',
        '"alg":"ES256","\u0061lg":"none"', '"\u0061\u006C\u0067":"none",'
        . '"alg":"ES256"', '"alg":"ES256","alg":"ES256"' ],
    kid => [ '"alg":"ES256","kid":"e9","kid":"e1"',
        '"alg":"ES256","kid":"e1","\u006bid":"e9"' ],
);

for my $name (sort keys %twice) {
    push @bad, header_is("$name twice: $_", "{$_}") for @{$twice{$name}};
}

push @bad, map { with("twice: $_", $_) } '"sub":"eve"', '"\u0073ub":"eve"',
    '"\u0073\u0075\u0062":"eve"', '"exp":9999999999', '"\u0065xp":1',
    '"aud":"ims-portal"', '"iss":"https://evil.example"', '"iat":1',
    '"x":{"a":1,"a":2}', '"x":[{"a":1,"\u0061":2}]';

# what is no object, or not alone

my %alone = (
    nothing => '', 'a space' => ' ', 'an empty object' => '{}',
    'a list' => "[$json]", 'a string' => '"mary"', 'a number' => '1',
    null => 'null', 'two objects' => "{}$json", 'objects, one after another'
        => "$json$json", 'a comma' => "{$inside,}",
    'a letter behind' => "${json}x", 'a NUL behind' => "$json\0",
    'a NUL in front' => "\0$json", 'a byte order mark' => "\xef\xbb\xbf$json",
    'a comment' => "/* */$json", 'a cut' => substr($json, 0, -1),
    'UTF-16' => join('', map { "$_\0" } split //, $json),
    'names without quotes' => '{sub:"mary"}', 'single quotes' => "{'a':1}",
);

push @bad, map { payload_is($_, $alone{$_}) } sort keys %alone;
push @bad, map { header_is($_, $alone{$_}) } 'nothing', 'an empty object',
    'a list', 'a string', 'null', 'a cut';

# deep and wide

push @bad, map { with("$_ deep", '"x":' . '[' x $_ . ']' x $_) } 16, 100,
    2900;
push @bad, with('1200 objects deep', '"x":' . '{"a":' x 1200 . '1'
    . '}' x 1200);
push @bad, payload_is('5000 lists that never end', '[' x 5000),
    payload_is('1500 objects that never end', '{"a":' x 1500),
    header_is('2000 deep', '{"alg":"ES256","kid":"e1","x":' . '[' x 2000
        . ']' x 2000 . '}'),
    header_is('deep behind quotes', '{"alg":"ES256","kid":"e1","\"":"\\\\",'
        . '"x":' . '[' x 100 . ']' x 100 . '}');

# what is not UTF-8, or no text

my %text = (
    'a stray byte' => "\"\xff\"", 'overlong slash' => "\"\xc0\xaf\"",
    'overlong NUL' => "\"\xc0\x80\"", 'overlong, three bytes'
        => "\"\xe0\x80\xaf\"", 'overlong, four bytes'
        => "\"\xf0\x80\x80\xaf\"",
    'half a character' => "\"\xc3\"", 'a surrogate in bytes'
        => "\"\xed\xa0\x80\"", 'beyond Unicode' => "\"\xf4\x90\x80\x80\"",
    'five bytes' => "\"\xf8\x88\x80\x80\x80\"",
    'a lone high surrogate' => '"\ud800"', 'a lone low surrogate'
        => '"\udc00"', 'surrogates the wrong way' => '"\udc00\ud800"',
    'a high surrogate and a letter' => '"\ud800x"', 'NUL' => '"\u0000"',
    'NUL within' => '"mary\u0000eve"', 'a bare line feed' => "\"a\nb\"",
    'a bare tab' => "\"a\tb\"", 'a bare NUL' => "\"a\0b\"",
    'an unknown escape' => '"\x41"', 'half an escape' => '"\u00"',
);

push @bad, map { instead("sub with $_", 'sub', $text{$_}) } sort keys %text;
push @bad, map { with("$_ in an unknown member", "\"x\":$text{$_}") }
    grep { !/NUL/ || /bare|overlong/ } sort keys %text;
push @bad, header_is('NUL in alg', '{"alg":"ES256\u0000","kid":"e1"}'),
    header_is('NUL in the name of alg', '{"alg\u0000":"ES256","kid":"e1"}'),
    header_is('not UTF-8', "{\"alg\":\"ES256\",\"kid\":\"e1\",\"x\":\"\xff\"}");

# control characters in a user, an issuer

push @bad, map { instead("sub with $_", 'sub', "\"mary$_\"") } '\r\n', '\n',
    '\u001b[0m', '\u007f', '\t';

$t->plan(@bad + 7);
$t->write_file_expand('nginx.conf', attack_conf());
$t->run();

$attack->refused(@$_) for @bad;

$attack->accepted('15 lists deep', $attack->forge($head,
    "{$inside,\"x\":" . '[' x 15 . ']' x 15 . '}', 'ES256'));
$attack->accepted('brackets in a string', $attack->forge($head,
    "{$inside,\"x\":\"" . '[{\"' x 300 . '"}', 'ES256'));
$attack->accepted('white space', $attack->forge($head,
    " \t\r\n{ $inside }\n ", 'ES256'));
is($attack->accepted('escapes in a name', $attack->forge($head,
    $json =~ s/"sub"/"\\u0073ub"/r, 'ES256')),
    $attack->accepted('and without', $jwt->token('mary')), 'the same user');

$attack->still_serves();
