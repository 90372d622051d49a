#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Scopes that a token has to have: RFC 6750 in HTTP, RFC 8898 in SIP.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(20);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(auth => 'both',
    server => 'ims_portal_jwt_scope sip:call sip:message;'));
$t->run();

my $core = IMS::Core->new()->registrar();

sub at {
    return IMS::Browser::api('POST', token => $jwt->token('mary', @_));
}

like(at(scope => 'openid sip:message  sip:call')->{status}, qr/^20/, 'scope');
like(at(scp => [ 'sip:call', 'sip:message' ])->{status}, qr/^20/, 'scp');
like(at(scp => 'sip:call sip:message')->{status}, qr/^20/, 'scp as a text');

my $r = at(scope => 'sip:call');

is($r->{status}, 403, 'one is missing');
like($r->{head}, qr/^WWW-Authenticate: Bearer .*error="insufficient_scope"/m,
    'insufficient_scope');
like($r->{head}, qr/^WWW-Authenticate: .*, scope="sip:call sip:message"\r$/m,
    'which scopes');
is($r->{json}{status}, 403, 'and a problem');

is(at()->{status}, 403, 'absent');
is(at(scope => '')->{status}, 403, 'empty');
is(at(scope => 'sip:calls sip:message')->{status}, 403, 'longer');
is(at(scope => 'SIP:CALL sip:message')->{status}, 403, 'another case');
is(at(scope => 7)->{status}, 403, 'a number');
is(at(scope => 'x', scp => [ 'sip:call', 'sip:message' ])->{status}, 403,
    'scope comes first');
is(at(scp => [ 'sip:call sip:message' ])->{status}, 403,
    'a list of texts with blanks');

my $web = IMS::Browser->open(token => $jwt->token('mary'), lease => 0);

is($web->{status}, 403, 'handshake');

# SIP

my $good = $jwt->token('mary', scope => 'sip:call sip:message');
my $mary = IMS::Browser->open(impu => at(scope => 'sip:call sip:message')
    ->{json}{identity});

sub bearer { return (headers => [ Authorization => "Bearer $_[0]" ]) }

$r = $mary->register(bearer($jwt->token('mary', scope => 'sip:call')));

is($r->{code}, 401, 'REGISTER');
like($r->h('WWW-Authenticate'),
    qr/error="invalid_scope", scope="sip:call sip:message"$/,
    'invalid_scope');
is($mary->register(bearer($good))->{code}, 200, 'with all of them');

$r = $mary->ask('MESSAGE', bearer($jwt->token('mary')), body => 'hi');

is($r->{code}, 407, 'another request');
like($r->h('Proxy-Authenticate'), qr/error="invalid_scope"/,
    'invalid_scope there, too');

# the last tests are its own

undef $t;
