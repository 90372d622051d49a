#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Several logins in one nginx: a token that is good at one location is tried at
# all others, before and after they have seen good ones of their own. What one
# location remembers counts for no other (RFC 8725 2.8, 3.8).

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use Crypt::PK::ECC;
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
my $attack = IMS::Attack->new($t, $jwt);
my $now = time();

# Two logins. Their keys have the same id.

my %key = map { $_ => Crypt::PK::ECC->new()->generate_key('secp256r1') }
    qw/ a b /;
my %iss = map { $_ => "https://$_.example" } keys %key;

$t->write_file("$_.jwks", encode_json({ keys => [ {
    %{decode_json($key{$_}->export_key_jwk('public'))}, kid => 'k' } ] }))
    for keys %key;

# a token of one of them, with other claims or another issuer

sub token {
    my ($jwt, $who, %claims) = @_;

    return $jwt->sign('ES256', $jwt->claims('mary', iss => $iss{$who},
        %claims), key => $key{$who}, header => { kid => 'k',
        typ => delete $claims{typ} || 'JWT' });
}

# location: what it has; which tokens it takes

my %location = (
    a => 'ims_portal_jwt_key file=a.jwks; ims_portal_jwt_issuer %A;',
    b => 'ims_portal_jwt_key file=b.jwks; ims_portal_jwt_issuer %B;',
    all => 'ims_portal_jwt_key file=a.jwks issuer=%A;
        ims_portal_jwt_key file=b.jwks issuer=%B;',
    other_aud => 'ims_portal_jwt_key file=a.jwks; ims_portal_jwt_issuer %A;
        ims_portal_jwt_audience other;',
    rs => 'ims_portal_jwt_key file=a.jwks alg=ES256,RS256;
        ims_portal_jwt_key file=login.jwks; ims_portal_jwt_issuer %B;',
    strict => 'ims_portal_jwt_key file=a.jwks; ims_portal_jwt_issuer %A;
        ims_portal_jwt_leeway 0s;',
    scoped => 'ims_portal_jwt_key file=a.jwks; ims_portal_jwt_issuer %A;
        ims_portal_jwt_scope calls;',
);

my %token = (
    'of a' => [ token($jwt, 'a'), qw/ a all strict / ],
    'of b' => [ token($jwt, 'b'), qw/ b all / ],
    'of a, that it is of b' => [ token($jwt, 'a', iss => $iss{b}), 'rs' ],
    'of b, that it is of a' => [ token($jwt, 'b', iss => $iss{a}) ],
    'of a, for another' => [ token($jwt, 'a', aud => 'other'), 'other_aud' ],
    'of a, for both' => [ token($jwt, 'a', aud => [ qw/ ims-portal other / ]),
        qw/ a all strict other_aud / ],
    'of a, over since' => [ token($jwt, 'a', exp => $now - 5),
        qw/ a all / ],
    'of a, with a scope' => [ token($jwt, 'a', scope => 'calls x'),
        qw/ a all strict scoped / ],
    'of nobody' => [ token($jwt, 'a', iss => undef) ],
);

$t->plan(3 * keys(%location) + 3);

my $conf = '';

for my $name (sort keys %location) {
    my $has = $location{$name};

    $has =~ s/%A/$iss{a}/g;
    $has =~ s/%B/$iss{b}/g;
    $has =~ s/file=(\w+)/file=%%TESTDIR%%\/$1/g;

    $conf .= "location = /$name {\nims_portal_session acme;\n$has\n}\n";
}

$t->write_file_expand('nginx.conf', attack_conf(server => $conf));
$t->run();

# each at each location; which of them it took

sub taken {
    my ($token, $location, @order) = @_;

    return join ', ', sort grep {
        my $r = IMS::Browser::api('POST', path => "/$location",
            token => $token->{$_}[0]);
        $r->{status} =~ /^20[01]$/;
    } @order;
}

my @tokens = sort keys %token;

for my $pass (1 .. 3) {

    # at the second time all that is good is remembered, and has been seen last
    # in another order

    for my $location (sort keys %location) {
        my $expected = join ', ', sort grep {
            my $t = $_;
            grep { $_ eq $location } @{$token{$t}}[1 .. $#{$token{$t}}];
        } @tokens;

        is(taken(\%token, $location, $pass == 2 ? reverse @tokens : @tokens),
            $expected, "$location takes its own, time $pass");
    }
}

# the same name of two logins is two users

my @mary = map { IMS::Browser::api('GET', path => "/$_",
    token => $token{"of $_"}[0])->{json}{identity} } qw/ a b /;

ok($mary[0] && $mary[1], 'two users');
isnt($mary[0], $mary[1], 'with two identities');

# one remembered is refused when its key is gone

my @old = ims_workers($t);

$t->write_file('a.jwks', $t->read_file('b.jwks'));
kill 'HUP', $t->read_file('nginx.pid');

IMS::Loop::wait_for(sub {
    my %now = map { $_ => 1 } ims_workers($t);
    return %now && !grep { $now{$_} } @old;
}, 10);

is(taken(\%token, 'all', @tokens), 'of b, of b, that it is of a',
    'keys that are gone');
