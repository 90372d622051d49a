#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Keys that are fetched by a subrequest: for HTTP and SIP, over TLS, through a
# cache; while the server of keys is away, and when it is back.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Cert;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Keys;
use IMS::Loop;
use IO::Socket::INET;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http proxy /)->plan(34);

my $jwt = IMS::JWT->new($t);
my $ca = IMS::Cert->authority($t, 'ca');

$ca->sign('keys', [ DNS => 'login.acme.example' ]);

my $keys = IMS::Keys->new($t, port(8085));

my $locations = join "\n", map { <<"EOC" } qw/ plain tls cached away /;
        location = /$_/sip {
            ims_portal acme;
            ims_portal_auth both;
            ims_portal_jwt_key request=/_$_ timeout=1s valid=1s stale=1500ms;
        }

        location = /$_/session {
            ims_portal_session acme;
            ims_portal_jwt_key request=/_$_ timeout=1s valid=1s stale=1500ms;
        }
EOC

$t->write_file_expand('nginx.conf', ims_conf(http => <<'EOC',
    proxy_cache_path %%TESTDIR%%/cache keys_zone=keys:1m;

    server {
        listen 127.0.0.1:8086 ssl;
        ssl_certificate %%TESTDIR%%/keys.pem;
        ssl_certificate_key %%TESTDIR%%/keys.key;

        location / {
            proxy_pass http://127.0.0.1:8085;
        }
    }
EOC
    server => $locations . <<'EOC'));
        location = /_plain {
            internal;
            deny all;
            auth_basic closed;
            auth_basic_user_file nothing;
            proxy_pass http://127.0.0.1:8085/plain;
        }

        location = /_tls {
            internal;
            proxy_pass https://127.0.0.1:8086/tls;
            proxy_ssl_verify on;
            proxy_ssl_trusted_certificate ca.pem;
            proxy_ssl_name login.acme.example;
        }

        location = /_cached {
            internal;
            proxy_cache keys;
            proxy_cache_valid 200 1s;
            proxy_cache_use_stale updating;
            proxy_cache_background_update on;
            proxy_pass http://127.0.0.1:8085/cached;
        }

        location = /_away {
            internal;
            proxy_pass http://127.0.0.1:8085/away;
            proxy_intercept_errors on;
            error_page 502 504 =200 /_error;
        }

        location = /_error {
            internal;
            return 503;
        }

        location = /static/session {
            ims_portal_session acme;
            ims_portal_jwt_key request=/login.jwks?all=1;
        }

        location = /absent/session {
            ims_portal_session acme;
            ims_portal_jwt_key request=/nowhere;
        }

        location = /zip/session {
            ims_portal_session acme;
            ims_portal_jwt_key request=/_zip;
        }

        location = /_zip {
            proxy_pass http://127.0.0.1:8085/zip;
        }

        location = /large/session {
            ims_portal_session acme;
            ims_portal_jwt_key request=/_large;
        }

        location = /_large {
            proxy_pass http://127.0.0.1:8085/large;
        }

        root %%TESTDIR%%;
EOC

my $set = $jwt->public();

$keys->answer('/away', 502, '');
$keys->answer("/$_", 200, $set) for qw/ plain tls cached /;
$keys->answer('/zip', 200, $set, 'Content-Encoding: gzip');
$keys->answer('/large', 200, ' ' x 300000 . $set);

$t->run();

my $core = IMS::Core->new()->registrar();
my $token = $jwt->token('mary');

sub session {
    my ($where, $with) = @_;

    return IMS::Browser::api('POST', path => "/$where/session",
        token => $with || $token);
}

my $r = session('plain');

is($r->{status}, 201, 'a proxied location');
is($keys->asked('/plain'), 1, 'asked once');
is(session('plain')->{status}, 200, 'again');
is($keys->asked('/plain'), 1, 'and not asked again');
unlike($keys->head('/plain'), qr/ims_session|authorization|cookie/i,
    'the request is not that of the user');

is(session('tls')->{status}, 200, 'over TLS');
is(session('cached')->{status}, 200, 'through the cache');
is(session('static')->{status}, 200, 'a file that nginx serves');
is(session('absent')->{status}, 503, 'no such location');
is(session('zip')->{status}, 503, 'compressed');
is(session('large')->{status}, 503, 'too large');

# a secret that is published is none

is(session('static', $jwt->sign('HS256', $jwt->claims('mary')))->{status},
    401, 'a published secret');

# SIP waits, too: keys are not fresh any more

my $impu = $r->{json}{identity};

IMS::Loop::pause(1.1);
$keys->slow('/plain', 0.3);

my $mary = IMS::Browser->open(path => '/plain/sip', impu => $impu);
my @bearer = (headers => [ Authorization => "Bearer $token" ]);

is($mary->register(@bearer)->{code}, 200, 'REGISTER waits for keys');
is($keys->asked('/plain'), 2, 'that were fetched');
$mary->close();

# who leaves while he waits does no harm, those who stay get their answer

IMS::Loop::pause(1.1);

my $gone = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . port(8080))
    or die "can't connect: $!\n";
print $gone "GET /plain/session HTTP/1.1\r\nHost: localhost\r\n"
    . "Cookie: ims_session=$token\r\n\r\n";
IMS::Loop::pause(0.1);
close $gone;

is(session('plain')->{status}, 200, 'another leaves, this one is answered');
is($keys->asked('/plain'), 3, 'by one fetch');

# away at the start

$r = session('away');

is($r->{status}, 503, 'no keys');
like($r->{head}, qr/^Retry-After: \d+/mi, 'Retry-After');
like($r->{json}{title} // '', qr/./, 'a problem in JSON');

$mary = IMS::Browser->open(path => '/away/sip', impu => $impu);
$r = $mary->register(@bearer);
is($r->{code}, 503, 'REGISTER without keys');
like($r->h('Retry-After') // '', qr/^\d/, 'Retry-After in SIP');
$mary->close();

is(session('away', 'x.y.z')->{status}, 401, 'what is no token: 401 at once');

$keys->answer('/away', 200, $set);
IMS::Loop::pause(1.1);

is(session('away')->{status}, 200, 'keys are back');

# away later: the former keys serve for a while

$keys->answer('/away', 500, '');
IMS::Loop::pause(1.1);

is(session('away')->{status}, 200, 'stale keys');
is(session('away')->{status}, 200, 'stale keys again');
like($t->read_file('error.log'),
    qr/\[warn\].*keys of "\/_away" cannot be fetched.*former ones/,
    'warned');

IMS::Loop::pause(1.6);

is(session('away')->{status}, 503, 'but not for ever');

$keys->answer('/away', 200, $set);
IMS::Loop::pause(1.1);

is(session('away')->{status}, 200, 'back again');
like($t->read_file('error.log'),
    qr/\[notice\].*keys of "\/_away" can be fetched again/, 'told');

# a cache that answers with what it has, and goes on in the background

is($keys->asked('/cached'), 1, 'a cache was asked');
is(session('cached')->{status}, 200, 'and answered');

IMS::Loop::wait_for(sub { $keys->asked('/cached') == 2 }, 3);
is($keys->asked('/cached'), 2, 'it went on in the background');
IMS::Loop::wait_for(sub {
    IMS::Loop::pause(0.2);
    session('cached');
    $keys->asked('/cached') == 3 }, 5);
is($keys->asked('/cached'), 3, 'and does so again');

unlike($t->read_file('access.log'), qr/_plain|_away/, 'not logged')
    if -e $t->testdir() . '/access.log';
