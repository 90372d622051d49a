#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Several keys on a level: issuers that do not sign for one another, secrets,
# algorithms that are allowed, files that are watched; and lines that are wrong.

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
use MIME::Base64 qw/ encode_base64url /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $key = 'ims_portal_jwt_key file=%%TESTDIR%%/login.jwks';

# what is wrong, and what nginx -t says

my @wrong = (
    [ 'no source', 'ims_portal_jwt_key watch=1s', qr/neither "file=" nor/ ],
    [ 'two sources', "$key request=/x", qr/parameter "request=\/x"/ ],
    [ 'no path', 'ims_portal_jwt_key file=', qr/parameter "file="/ ],
    [ 'a URL', 'ims_portal_jwt_key request=https://a.example/',
        qr/parameter "request=https/ ],
    [ 'unknown parameter', "$key color=red", qr/parameter "color=red"/ ],
    [ 'unknown algorithm', "$key alg=ES256,none", qr/"alg=ES256,none"/ ],
    [ 'no algorithm', "$key alg=ES256,", qr/"alg=ES256,"/ ],
    [ 'a secret by request', 'ims_portal_jwt_key request=/x secret',
        qr/"ims_portal_jwt_key" directive has "secret"/ ],
    [ 'watching a location', 'ims_portal_jwt_key request=/x watch=1s',
        qr/no "watch=" with "request="/ ],
    [ 'validity of a file', "$key valid=1m", qr/no "valid=" with "file="/ ],
    [ 'watching too often', "$key watch=10ms", qr/"watch=10ms"/ ],
    [ 'time twice', "$key watch=1s watch=2s", qr/"watch=2s"/ ],
    [ 'bad time', 'ims_portal_jwt_key request=/x miss=never',
        qr/"miss=never"/ ],
    [ 'short secret', 'ims_portal_jwt_key file=%%TESTDIR%%/short.key secret',
        qr/"ims_portal_jwt_key": .*secret of 31 bytes is too short/ ],
    [ 'open secret', 'ims_portal_jwt_key file=%%TESTDIR%%/open.key secret',
        qr/"ims_portal_jwt_key": a secret that everybody may read/ ],
    [ 'secret in another form',
        'ims_portal_jwt_key file=%%TESTDIR%%/raw.key secret=base64url',
        qr/"ims_portal_jwt_key": .*not base64url/ ],
    [ 'a folder', 'ims_portal_jwt_key file=%%TESTDIR%%',
        qr/"ims_portal_jwt_key": it is not a regular file/ ],
    [ 'nobody speaks for all', "$key issuer=https://a.example; $key",
        qr/"ims_portal_jwt_key" without "issuer="/ ],
    [ 'cache of nonsense', undef, qr/ims_portal_jwt_cache/ ],
);

my $t = Test::Nginx->new()->has(qw/ http /)->plan(@wrong + 33);

my $jwt = IMS::JWT->new($t);
my $other = IMS::JWT->new($t);       # replaces login.jwks

sub keep {
    my ($name, $text, $mode) = @_;

    $t->write_file("$name.new", $text);
    chmod $mode || 0600, $t->testdir() . "/$name.new";
    rename $t->testdir() . "/$name.new", $t->testdir() . "/$name";
}

sub set { return encode_json({ keys => [ @_ ] }) }

my $raw = 'thirty-two bytes and not one less';
my $long = 'x' x 64;

keep('acme.jwks', set($jwt->jwk('ES256')));
keep('beta.jwks', set($other->jwk('ES256')));
keep('raw.key', "$raw\n");
keep('coded.key', encode_base64url($long));
keep('short.key', 'x' x 31 . "\n");
keep('open.key', $raw, 0644);
keep('watched.jwks', set($jwt->jwk('ES256')));

my $good = ims_conf(issuer => 'https://login.acme.example '
        . 'https://also.acme.example',
    audience => 'ims-portal ims-portal-test',
    key => 'file=%%TESTDIR%%/acme.jwks', server => <<'EOC');
        location = /beta/session {
            ims_portal_session acme;
            ims_portal_jwt_key file=%%TESTDIR%%/acme.jwks;
            ims_portal_jwt_key file=%%TESTDIR%%/beta.jwks
                issuer=https://beta.example issuer=https://beta2.example;
        }

        location = /secret/session {
            ims_portal_session acme;
            ims_portal_jwt_key file=%%TESTDIR%%/raw.key secret;
            ims_portal_jwt_key file=%%TESTDIR%%/coded.key secret=base64url
                alg=HS512;
        }

        location = /watch/session {
            ims_portal_session acme;
            ims_portal_jwt_key file=%%TESTDIR%%/watched.jwks watch=100ms;
        }

        location = /typ/session {
            ims_portal_session acme;
            ims_portal_jwt_typ at+jwt;
        }
EOC

for my $case (@wrong) {
    my ($title, $line, $says) = @$case;

    my $conf = ims_conf(key => 'file=%%TESTDIR%%/acme.jwks', issuer => 'x',
        http => defined $line ? '' : 'ims_portal_jwt_cache many;');

    $conf =~ s/ims_portal_jwt_issuer x;\n//;
    $conf =~ s/ims_portal_jwt_key file=[^;]*/$line/ if defined $line;
    $t->write_file_expand('case.conf', $conf);

    like(ims_check($t, 'case.conf'), $says, $title);
}

$t->write_file_expand('nginx.conf', $good);
$t->run();

sub status {
    my ($where, $token) = @_;

    return IMS::Browser::api('POST', path => "/$where/session",
        token => $token)->{status};
}

sub good { return $_[0] =~ /^20[01]$/ ? 'yes' : $_[0] }

# issuers and audiences

is(good(status('ims', $jwt->token('mary'))), 'yes', 'first issuer');
is(good(status('ims', $jwt->token('mary',
    iss => 'https://also.acme.example'))), 'yes', 'second issuer');
is(status('ims', $jwt->token('mary', iss => 'https://beta.example')), 401,
    'an issuer of another place');
is(good(status('ims', $jwt->token('mary', aud => 'ims-portal-test'))), 'yes',
    'second audience');
is(good(status('ims', $jwt->token('mary',
    aud => [ 'x', 'ims-portal-test' ]))), 'yes', 'in an array');
is(status('ims', $jwt->token('mary', aud => [ 'x', 'y' ])), 401,
    'no audience of ours');

is(good(status('beta', $jwt->token('mary'))), 'yes', 'key without a name');
is(good(status('beta', $other->token('mary',
    iss => 'https://beta.example'))), 'yes', 'key with a name');
is(good(status('beta', $other->token('mary',
    iss => 'https://beta2.example'))), 'yes', 'and its second name');
is(status('beta', $other->token('mary')), 401,
    'the key of beta in the name of acme');
is(status('beta', $jwt->token('mary', iss => 'https://beta.example')), 401,
    'the key of acme in the name of beta');
is(status('beta', $jwt->token('mary', iss => 'https://gamma.example')), 401,
    'a name that nobody has');
is(status('beta', $jwt->token('mary', iss => undef)), 401, 'no name');

# the same subject of two issuers is two users

isnt(identity($jwt->token('ann')), identity($other->token('ann',
    iss => 'https://beta.example')), 'two users');

sub identity {
    return IMS::Browser::api('POST', path => '/beta/session',
        token => $_[0])->{json}{identity};
}

# secrets

sub hs {
    my ($alg, $secret) = @_;

    return $jwt->sign($alg, $jwt->claims('mary'), key => $secret,
        header => { kid => 'any' });
}

is(good(status('secret', hs('HS256', $raw))), 'yes', 'raw secret');
is(status('secret', hs('HS384', $raw)), 401, 'too short for HS384');
is(status('secret', hs('HS256', "$raw\n")), 401, 'without its end of line');
is(good(status('secret', hs('HS512', $long))), 'yes', 'base64url secret');
is(status('secret', hs('HS256', $long)), 401, 'only with HS512');
is(status('secret', $jwt->token('mary')), 401, 'keys of above are replaced');

# typ

is(status('typ', $jwt->token('mary')), 401, 'typ JWT');
is(good(status('typ', $jwt->sign('ES256', $jwt->claims('mary'),
    header => { typ => 'at+JWT' }))), 'yes', 'typ');
is(good(status('typ', $jwt->sign('ES256', $jwt->claims('mary'),
    header => { typ => 'application/at+jwt' }))), 'yes', 'typ in full');
is(good(status('ims', $jwt->sign('ES256', $jwt->claims('mary'),
    header => { typ => 'at+jwt' }))), 'yes', 'any typ elsewhere');

# a file that changes

is(good(status('watch', $jwt->token('mary'))), 'yes', 'watched: first key');
is(status('watch', $other->token('mary')), 401, 'not yet the second');

keep('watched.jwks', set($other->jwk('ES256')));
IMS::Loop::wait_for(sub { status('watch', $other->token('mary')) < 300 }, 3);

is(good(status('watch', $other->token('mary'))), 'yes', 'second key');
is(status('watch', $jwt->token('mary')), 401, 'first key is gone');

keep('watched.jwks', '{"keys":[');
IMS::Loop::wait_for(sub {
    $t->read_file('error.log') =~ /watched\.jwks" cannot be read again/ }, 3);
IMS::Loop::pause(0.4);

is(good(status('watch', $other->token('mary'))), 'yes',
    'a broken file changes nothing');
is(scalar(() = $t->read_file('error.log') =~ /\[error\].*cannot be read a/g),
    1, 'and is told once');

unlink $t->testdir() . '/watched.jwks';
IMS::Loop::pause(0.3);
is(good(status('watch', $other->token('mary'))), 'yes', 'nor does none');

keep('watched.jwks', set($jwt->jwk('ES256')));
IMS::Loop::wait_for(sub { status('watch', $jwt->token('mary')) < 300 }, 3);
is(good(status('watch', $jwt->token('mary'))), 'yes', 'a good one does');

my $log = $t->read_file('error.log');
$log =~ s/^.*\[debug\].*\n//mg;
unlike($log, qr/thirty-two|eyJ/, 'no secret in the log');

# a sub holds it: the two tests of its own come now, not too late

undef $t;
