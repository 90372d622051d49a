#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A token in the query, or elsewhere: no log of nginx has it, whatever becomes
# of the request. Without the directive the query is nobody's token.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::JWT;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(26);

my $jwt = IMS::JWT->new($t);

my $conf = ims_conf(
    jwt => '$cookie_ims_session $http_authorization ${arg_token} $arg_t',
    main => 'error_log %%TESTDIR%%/info.log info;',
    http => <<'EOH', server => <<'EOC');
    map $arg_token $mapped { default "map"; }
    log_format all '$request | $request_uri | $args | $query_string | '
                   '$arg_token | $arg_t | $http_referer | $uri | $status | '
                   '$arg_a';
    access_log %%TESTDIR%%/all.log all;
    access_log %%TESTDIR%%/combined.log combined;
EOH
    add_header X-Seen $arg_token;

    if ($http_x_away) {
        return 301 https://acme.example/;
    }

    if ($http_x_gone) {
        return 410;
    }

    error_page 410 /gone.html;

    location = /gone.html {
        internal;
        return 410 "gone";
    }

    location = /denied {
        deny all;
        ims_portal_session acme;
    }

    location = /other {
        return 200 "[$arg_token]";
    }

    location = /listed {
        ims_portal_jwt $cookie_ims_session;
        ims_portal_session acme;
    }
EOC

$t->write_file_expand('nginx.conf', $conf);

$t->run();

my $token = $jwt->token('mary');
my $bad = $jwt->token('mary', iss => 'https://another.example');
my $torn = 'eyJtorn' . 'x' x 40;

sub api { return IMS::Browser::api(@_) }

my $r = api('POST', path => "/ims/session?a=1&token=$token&b=2");
is($r->{status}, 201, 'a token in the query');
like($r->{head}, qr/^X-Seen: \*\*\*\r$/mi, 'hidden from what comes after');
is(api('GET', path => "/ims/session?TOKEN=$token")->{status}, 200,
    'any case');
is(api('GET', path => "/ims/session?t=$token")->{status}, 200,
    'another argument');
is(api('GET', path => "/ims/session?token=$token&token=$bad&t=$token#t")
    ->{status}, 200, 'several');
is(api('POST', path => "/ims/session?token=$bad")->{status}, 401, 'refused');
is(api('POST', path => "/ims/session?token=$torn")->{status}, 401,
    'malformed');
is(api('POST', path => "/denied?token=$token")->{status}, 403, 'denied');
is(api('PATCH', path => "/ims/session?token=$token")->{status}, 405,
    'another method');
is(api('POST', path => "/ims/session?token=$token",
    headers => [ 'Origin: null', 'X: y' ])->{status}, 200, 'origin');
like(Test::Nginx::http("PUT /ims/session?token=$token HTTP/1.1\r\n"
    . "Host: localhost\r\nContent-Length: 20000000\r\nConnection: close\r\n"
    . "\r\n"), qr/^HTTP.1.1 413 .*problem\+json/s, 'a large body');
like(Test::Nginx::http("GET /ims/session?token=$token HTTP/1.1\r\n"
    . "Connection: close\r\n\r\n"), qr/^HTTP.1.1 400 /, 'no Host');
is(IMS::Browser->open(path => "/ims/sip?token=$token")->{status}, 101,
    'a WebSocket');
is(IMS::Browser->open(path => "/ims/sip?token=$token",
    protocol => 'chat')->{status}, 400, 'a bad handshake');
is(api('GET', token => $token, path => '/ims/session',
    headers => [ "Referer: https://acme.example/?token=$token&x=1",
        "Authorization: Bearer $token" ])->{status}, 200,
    'in the referrer, a cookie, a header');
is(api('POST', path => "/ims/session?token=$token",
    headers => [ 'X-Away: 1' ])->{status}, 301, 'sent away by its server');
is(api('POST', path => "/ims/session?token=$token",
    headers => [ 'X-Gone: 1' ])->{status}, 410, 'by an error page');
is(api('GET', path => "/listed?token=$token")->{status}, 401,
    'not where it is not named');
like(api('GET', path => '/other?token=mine')->{body}, qr/\[mine\]/,
    'an argument of others stays theirs');

$t->stop();

# those two are not of a place that reads tokens there

my %log = map {
    $_ => join '', grep { !m!/listed|/other! } split /^/,
        $t->read_file("$_.log")
} qw/ all combined info /;

# and this one nginx refused while it read the headers, before any module

$log{info} =~ s/.*without "Host" header.*\n//;

for my $name (sort keys %log) {
    my ($one, $two) = map { (split /\./)[2] } $token, $bad;

    cmp_ok(length $log{$name}, '>', 500, "$name was written");
    unlike($log{$name}, qr/\Q$one\E|\Q$two\E|eyJ/, 'no token in it');
}

my $q = 'a=1&token=***&b=2';

ok(scalar(grep { $_ eq "POST /ims/session?$q HTTP/1.1 | /ims/session?$q | $q"
    . " | $q | *** | - | - | /ims/session | 201 | 1\n" } split /^/, $log{all}),
    'the rest is there');
