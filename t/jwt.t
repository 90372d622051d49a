#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Tokens in the handshake and on the session API: RFC 8725, RFC 7519.
# A token that is refused costs no identity.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::JWT;
use IMS::WebSocket;
use JSON::PP qw/ encode_json /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /);

my $jwt = IMS::JWT->new($t, rsa => 1);

my $good = $jwt->claims('mary');
my $now = time();
my $e1 = '{"alg":"ES256","kid":"e1"}';

sub altered {
    my @part = split /\./, $jwt->token('mary');
    my @other = split /\./, $jwt->token('eve');

    return join '.', $part[0], $other[1], $part[2];
}

# title and token

my @bad = (
    [ 'expired', $jwt->token('mary', exp => $now - 3600) ],
    [ 'no exp', $jwt->token('mary', exp => undef) ],
    [ 'exp in words', $jwt->token('mary', exp => 'tomorrow') ],
    [ 'negative exp', $jwt->token('mary', exp => -1) ],
    [ 'not yet valid', $jwt->token('mary', nbf => $now + 3600) ],
    [ 'issued in the future', $jwt->token('mary', iat => $now + 3600) ],
    [ 'other aud', $jwt->token('mary', aud => 'billing') ],
    [ 'list of other auds', $jwt->token('mary', aud => [ 'a', 'b' ]) ],
    [ 'no aud', $jwt->token('mary', aud => undef) ],
    [ 'other iss', $jwt->token('mary', iss => 'https://evil.example') ],
    [ 'no iss', $jwt->token('mary', iss => undef) ],
    [ 'no sub', $jwt->token(undef) ],
    [ 'empty sub', $jwt->token('') ],
    [ 'sub a number', $jwt->token(17) ],
    [ 'alg none', $jwt->raw('{"alg":"none"}', encode_json($good)) ],
    [ 'alg nOnE', $jwt->raw('{"alg":"nOnE","kid":"e1"}',
        encode_json($good)) ],
    [ 'alg ES256, no signature', $jwt->raw($e1, encode_json($good)) ],
    [ 'HS256 made with the RSA public key', $jwt->sign('HS256', $good,
        key => $jwt->pem('RS256'), header => { kid => 'r1' }) ],
    [ 'HS256 made with the EC public key', $jwt->sign('HS256', $good,
        key => $jwt->pem('ES256'), header => { kid => 'e1' }) ],
    [ 'HS256 with another secret', $jwt->sign('HS256', $good,
        key => 'another secret of 32 bytes .....') ],
    [ 'ES256 under the kid of RS256', $jwt->sign('ES256', $good,
        header => { kid => 'r1' }) ],
    [ 'RS512 with the key of RS256', $jwt->sign('RS512', $good,
        key => $jwt->{key}{RS256}, header => { kid => 'r1' }) ],
    [ 'unknown kid', $jwt->sign('ES256', $good,
        header => { kid => 'e9' }) ],
    [ 'kid as a path', $jwt->sign('ES256', $good,
        header => { kid => '../../etc/passwd' }) ],
    [ 'unknown crit', $jwt->sign('ES256', $good,
        header => { crit => [ 'exp' ] }) ],
    [ 'payload of another', altered() ],
    [ 'sub twice', $jwt->raw($e1, '{"sub":"mary",'
        . substr(encode_json({ %$good, sub => 'eve' }), 1), 'ES256') ],
    [ 'alg twice', $jwt->raw('{"alg":"none","alg":"ES256","kid":"e1"}',
        encode_json($good), 'ES256') ],
    [ 'payload no object', $jwt->raw($e1, '[1]', 'ES256') ],
    [ 'payload not JSON', $jwt->raw($e1, '{"sub":', 'ES256') ],
    [ 'something behind the JSON', $jwt->raw($e1,
        encode_json($good) . 'x', 'ES256') ],
    [ 'NUL in sub', $jwt->token("mary\0eve") ],
    [ 'padded base64', $jwt->token('mary') . '=' ],
    [ 'four parts', $jwt->token('mary') . '.x' ],
    [ 'two parts', join '.', (split /\./, $jwt->token('mary'))[0, 1] ],
    [ 'no token at all', 'mary' ],
    [ 'only dots', '..' ],
    [ 'very long', 'x' x 3000 ],
);

my @fine = (
    [ 'ES256', $jwt->token('mary') ],
    [ 'RS256', $jwt->sign('RS256', $good) ],
    [ 'HS256', $jwt->sign('HS256', $good) ],
    [ 'aud among others', $jwt->token('mary', aud => [ 'x', 'ims-portal' ]) ],
    [ 'expired within leeway', $jwt->token('mary', exp => $now - 5) ],
    [ 'nbf within leeway', $jwt->token('mary', nbf => $now + 20) ],
    [ 'more claims', $jwt->token('mary', roles => [ { a => 1 } ]) ],
);

$t->plan(2 * @bad + @fine + 6);

# one identity only: a bad token that took it would show

$t->write_file_expand('nginx.conf', ims_conf(
    identity => 'sip:u[001-001]@acme.ims.operator.example '
        . 'impi=$user@ims.operator.example',
    server => 'ims_portal_jwt_leeway 30s;'));

$t->run();

sub status_of { return IMS::Browser::api('POST', token => $_[0])->{status} }

sub upgrade {
    my $ws = IMS::WebSocket->connect(port => port(8080), @_);
    my $status = $ws->{status};

    $ws->close();

    return $status;
}

for my $case (@bad) {
    my ($title, $token) = @$case;

    is(status_of($token), 401, "$title: session API");
    is(upgrade(cookie => "ims_session=$token"), 401, "$title: handshake");
}

my $r = IMS::Browser::api('POST', token => $bad[0][1]);

like($r->{head}, qr/^WWW-Authenticate: Bearer.*error="?invalid_token/mi,
    'invalid_token');
like(IMS::Browser::api('POST')->{head}, qr/^WWW-Authenticate: Bearer/mi,
    'asked for a token');

# nobody took the identity

is(status_of($jwt->token('bob')), 201, 'identity still free');
is(status_of($jwt->token('mary')), 503, 'and now taken');

$t->stop();
$t->run();

is(upgrade(authorization => 'Bearer ' . $jwt->token('mary')), 101,
    'authorization header');

for my $case (@fine) {
    is(upgrade(cookie => "ims_session=$case->[1]"), 101, $case->[0]);
}

my $log = $t->read_file('error.log');
$log =~ s/^.*\[debug\].*\n//mg;
unlike($log, qr/eyJ/, 'no token in the log');
