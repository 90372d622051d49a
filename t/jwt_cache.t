#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A token that is remembered is not good for ever: its time, revocation, its
# key, and other places, which ask for something else.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use Crypt::PK::ECC;
use IMS::Browser;
use IMS::Conf;
use IMS::JWT;
use IMS::Loop;
use JSON::PP qw/ encode_json /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(18);

my $jwt = IMS::JWT->new($t);
my $other = IMS::JWT->new($t);

sub keep {
    my ($name, @keys) = @_;

    $t->write_file("$name.new", encode_json({ keys => [ @keys ] }));
    rename $t->testdir() . "/$name.new", $t->testdir() . "/$name";
}

keep('acme.jwks', $jwt->jwk('ES256'));

$t->write_file_expand('nginx.conf', ims_conf(http => 'ims_portal_jwt_cache 4;',
    key => 'file=%%TESTDIR%%/acme.jwks watch=100ms', server => <<'EOC'));
        location = /other/session {
            ims_portal_session acme;
            ims_portal_jwt_audience other;
        }

        location = /issuer/session {
            ims_portal_session acme;
            ims_portal_jwt_issuer https://other.example;
        }

        location = /revoke {
            ims_portal_revocation acme;
        }
EOC

$t->run();

sub status {
    my ($token, $path) = @_;

    return IMS::Browser::api('POST', token => $token,
        path => $path || '/ims/session')->{status};
}

sub revoke {
    my ($form) = @_;

    my $s = IO::Socket::INET->new('127.0.0.1:' . port(8080))
        or die "can't connect: $!\n";
    print $s "POST /revoke HTTP/1.1\r\nHost: localhost\r\n"
        . "Connection: close\r\nContent-Length: " . length($form)
        . "\r\n\r\n$form";
    local $/;

    return (<$s> =~ m!^HTTP/1.1 (\d+)!)[0];
}

my $token = $jwt->token('mary', jti => 'one');

is(status($token), 201, 'a token');
is(status($token), 200, 'again');
is(status($token, '/other/session'), 401, 'not for another audience');
is(status($token, '/issuer/session'), 401, 'not of another issuer');
is(status($token), 200, 'still good');

# a changed byte is another token

my $bad = $token;
substr($bad, -3, 1) = substr($bad, -3, 1) eq 'A' ? 'B' : 'A';
is(status($bad), 401, 'a changed signature');

# revoked

is(revoke('jti=one'), 204, 'revoked');
is(status($token), 401, 'is not good');
is(revoke('jti=one&expires_in=0'), 204, 'good again');
is(status($token), 200, 'is good');

# expires: exp is 2 s from now for the leeway of 30 s

my $short = $jwt->token('mary', exp => time() - 28);

is(status($short), 200, 'a token near its end');
IMS::Loop::pause(3);
is(status($short), 401, 'has ended');

# more than there is room for

is(join(' ', map { status($jwt->token('mary', jti => "n$_")) } 1 .. 9),
    join(' ', (200) x 9), 'more than are remembered');
is(status($token), 200, 'the one that gave way');

# its key goes

status($token);
keep('acme.jwks', $other->jwk('ES256'));
IMS::Loop::wait_for(sub { status($other->token('mary')) == 200 }, 3);

is(status($token), 401, 'its key is gone');
is(status($other->token('mary')), 200, 'another key under the same kid');

keep('acme.jwks', $other->jwk('ES256'), { %{$jwt->jwk('ES256')},
    kid => 'e2' });
IMS::Loop::wait_for(sub { status($jwt->sign('ES256', $jwt->claims('mary'),
    header => { kid => 'e2' })) == 200 }, 3);

is(status($token), 401, 'it has the kid of another');
is(status($jwt->sign('ES256', $jwt->claims('mary'),
    header => { kid => 'e2' })), 200, 'a new kid');

# a sub holds it: the two tests of its own come now, not too late

undef $t;
