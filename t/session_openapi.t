#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Each answer of the session API is as docs/session-api.yaml has it: status,
# headers, members and types, and nothing that is not described there; and each
# answer that is described there is seen.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::NG;
use IMS::OpenAPI;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $api = IMS::OpenAPI->new("$FindBin::Bin/../docs/session-api.yaml");

my $t = Test::Nginx->new()->has(qw/ http /)->plan(48);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(origin => '',
    identity => 'sip:u[1-3]@acme.ims.operator.example impi=$user@a.example',
    quarantine => '1h', media => 'unix:%%TESTDIR%%/ng.sock',
    server => <<'EOC'));
    ims_portal_claim identity impu;
    ims_portal_ticket on;
    ims_portal_ice_server stun:stun.acme.example;
    ims_portal_turn turn:turn.acme.example secret=hush;

    location = /limited {
        ims_portal_limit_sessions address rate=1r/m;
        ims_portal_session acme;
    }

    location = /keys {
        ims_portal_jwt_key request=/none;
        ims_portal_session acme;
    }

    location = /none {
        return 404;
    }
EOC

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar(headers => [
    'P-Associated-URI' => '<tel:+15551000>' ]);

# a request, and what is wrong with the answer

sub ask {
    my ($method, $status, $name, %o) = @_;

    my $r = IMS::Browser::api($method, %o);
    my ($type) = $r->{head} =~ /^Content-Type: (\S+)\r$/mi;

    is($r->{status}, $status, "$method: $name");

    my $wrong = $api->check($method, '/', $r->{status}, $type,
        length $r->{body} ? $r->{json} : undef);

    $wrong ||= $api->headers($method, '/', $r->{status}, $r->{head});
    is($wrong, '', "$method: $name, as described") if $wrong ne '';

    return $r;
}

# what the requests elsewhere still owe of their own, quicker rate may refuse
# one here that is let through a moment later; after one that was, none is

sub exhaust {
    my ($method) = @_;

    for (1 .. 100) {
        my $r = IMS::Browser::api($method, path => '/limited');
        return if $r->{status} != 429;
        select undef, undef, undef, 0.005;
    }

    diag("$method: none was let through");
}

my @user = map { (token => $jwt->token($_)) } qw/ mary /;
my @ticket = (headers => [ 'Prefer: ticket' ]);

# nobody has anything yet

ask('GET', 404, 'no lease', @user);
ask('PUT', 404, 'no lease', @user);
ask('DELETE', 404, 'no lease', @user);
ask('OPTIONS', 204, 'methods');

# good ones

ask('POST', 201, 'leased', @user, @ticket);
ask('POST', 200, 'renewed', @user);
my $r = ask('PUT', 200, 'renewed', @user, @ticket);

my $mary = IMS::Browser->open(@user, impu => $r->{json}{identity});
$mary->register();
is_deeply(ask('GET', 200, 'with an alias', @user)->{json}{aliases},
    [ 'tel:+15551000' ], 'the alias');
ask('HEAD', 200, 'read', @user);

# calls, and what others have

IMS::Call::call_at_once($mary, $core, [], []);
ask('DELETE', 409, 'calls are running', @user);

my ($bob) = map { $jwt->token('bob', impu => $_) } $r->{json}{identity};
ask('POST', 409, 'taken', token => $bob);
ask('POST', 403, 'outside of the block', token => $jwt->token('bob',
    impu => 'sip:x@a.example'));
ask('POST', 201, 'another', token => $jwt->token('bob'));
ask('PUT', $_->[0], $_->[1], token => $jwt->token('bob', impu => $_->[2]))
    for [ 409, 'taken', $r->{json}{identity} ],
        [ 403, 'outside of the block', 'sip:x@a.example' ];
ask('POST', 201, 'the last', token => $jwt->token('carol'));
ask('POST', 503, 'all are taken', token => $jwt->token('dora'));

# refused, each method

for my $method (qw/ GET POST PUT DELETE /) {
    ask($method, 401, 'no token');
    ask($method, 401, 'a bad one', token => 'x.y.z');
    ask($method, 403, 'foreign origin', @user,
        headers => [ 'Origin: https://evil.example' ]);
    ask($method, 411, 'chunked', headers => [ 'Transfer-Encoding: chunked' ])
        unless $method eq 'POST';
    ask($method, 413, 'a large body', headers => [ 'Content-Length: 5000' ])
        unless $method eq 'POST';

    exhaust($method);
    ask($method, 429, 'too many', path => '/limited');
    ask($method, 503, 'no keys', path => '/keys', @user);
}

for my $head ([ 411, 'Transfer-Encoding: chunked' ],
    [ 413, 'Content-Length: 5000' ])
{
    my $said = Test::Nginx::http("POST /ims/session HTTP/1.1\r\n"
        . "Host: localhost\r\nConnection: close\r\n$head->[1]\r\n\r\n");

    my ($type, $body) = $said =~ /^Content-Type: (\S+)\r\n.*?\r\n\r\n(.*)/msi;
    is($api->check('POST', '/', $head->[0], $type,
        JSON::PP::decode_json($body)), '', "POST: $head->[0]");
}

ask('DELETE', 204, 'by force', @user, path => '/ims/session?force=1');

is(join(', ', $api->unseen()), '', 'all that is described was seen');
