#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Which claim is the user: a string or an integer at any depth, 1 to 255 bytes
# that can be shown on one line. It is the key of the lease and of revocation.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use JSON::PP;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(30);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    sip => 'ims_portal_claim user employee.id;',
    server => <<'EOC'));
        location = /sub { ims_portal_session acme; }
        location = /id {
            ims_portal_session acme;
            ims_portal_claim user employee.id;
        }
        location = /dotted {
            ims_portal_session acme;
            ims_portal_claim user https://acme.example/id;
        }
        location = /under {
            ims_portal_session acme;
            ims_portal_claim user https://acme.example/claims.id;
        }
        location = /revoked {
            ims_portal_revocation acme;
        }
        location = /sip {
            ims_portal acme;
            ims_portal_auth sip;
            ims_portal_claim user employee.id;
        }
EOC
$t->run();

my $core = IMS::Core->new()->registrar();

sub at {
    my ($path, %claims) = @_;

    return IMS::Browser::api('POST', path => $path,
        token => $jwt->token('mary', %claims));
}

sub id { return at('/id', employee => { id => $_[0] }) }

is(at('/sub')->{json}{user}, 'mary', 'sub by default');

my $r = id('m-17');

is($r->{json}{user}, 'm-17', 'a claim within an object');

my $one = $r->{json}{identity};

is(id('m-17')->{json}{identity}, $one, 'the same user, the same identity');
isnt(id('m-18')->{json}{identity}, $one, 'another user');
is(id(17)->{json}{user}, '17', 'an integer');
is(id('17')->{json}{identity}, id(17)->{json}{identity}, 'as its text');
is(id("\x{e9}lo\x{ef}se \x{2713}")->{status}, 201, 'UTF-8');
is(id('x' x 255)->{status}, 201, '255 bytes');

is(at('/dotted', 'https://acme.example/id' => 'zoe')->{json}{user}, 'zoe',
    'a name with dots');
is(at('/under', 'https://acme.example/claims' => { id => 'joe' })
    ->{json}{user}, 'joe', 'a member of a name with dots');

# 401

my %no = (
    'absent' => undef, 'empty' => '', 'too long' => 'x' x 256,
    'an array' => [ 'a' ], 'an object' => { a => 1 }, 'boolean' =>
    JSON::PP::true, 'a fraction' => 1.5, 'CR LF' => "a\r\nb", 'tab' => "a\tb",
    'DEL' => "a\x7fb", 'C1' => "a\x{85}b", 'U+2028' => "a\x{2028}b",
    'U+2029' => "a\x{2029}b", 'U+202E' => "a\x{202e}b",
    'U+2066' => "a\x{2066}b",
);

for my $title (sort keys %no) {
    $r = id($no{$title});
    is("$r->{status} " . ($r->{json}{detail} || ''),
        '401 token has no usable user', $title);
}

# SIP says it with a challenge

my $token = $jwt->token('mary', employee => { id => 'm-17' });
my $mary = IMS::Browser->open(path => '/sip', impu => $one);

like($mary->register(headers => [ Authorization => 'Bearer '
    . $jwt->token('mary') ])->h('WWW-Authenticate') || '',
    qr/error="invalid_token"/, 'SIP: no usable user');
is($mary->register(headers => [ Authorization => "Bearer $token" ])->{code},
    200, 'SIP: his identity');

# who revokes "sub" means that user

sub revoke {
    my ($sub) = @_;

    return Test::Nginx::http("POST /revoked HTTP/1.1\r\nHost: localhost\r\n"
        . "Connection: close\r\n"
        . "Content-Type: application/x-www-form-urlencoded\r\n"
        . 'Content-Length: ' . length("iss=https://login.acme.example&sub=$sub")
        . "\r\n\r\niss=https://login.acme.example&sub=$sub");
}

revoke('mary');
is(IMS::Browser::api('POST', path => '/id', token => $token)->{status}, 200,
    'another claim is not meant');
revoke('m-17');
is(IMS::Browser::api('POST', path => '/id', token => $token)->{status}, 401,
    'this one is');
ok($mary->closed(3), 'and its socket ends');

# the last tests are its own

undef $t;
