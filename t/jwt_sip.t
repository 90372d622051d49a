#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Tokens in SIP: RFC 8898, and the spelling of TS 24.371 A.3.2.

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

my $t = Test::Nginx->new()->has(qw/ http /)->plan(23);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(server => <<'EOC'));
        location = /sip {
            ims_portal acme;
            ims_portal_auth sip;
        }

        location = /both {
            ims_portal acme;
            ims_portal_auth both;
        }
EOC

$t->run();

my $core = IMS::Core->new()->registrar();
my $token = $jwt->token('mary');
my $impu = IMS::Browser::api('POST', token => $token)->{json}{identity};

sub bearer { return (headers => [ Authorization => "Bearer $_[0]" ]) }

# a socket without a token

my $mary = IMS::Browser->open(path => '/sip', impu => $impu);

is($mary->{status}, 101, 'socket without a token');

my $r = $mary->register();

is($r->{code}, 401, 'challenged');
like($r->h('WWW-Authenticate'), qr/^Bearer\b/, 'for Bearer');
unlike($r->h('WWW-Authenticate'), qr/invalid_token/, 'nothing was invalid');
like($mary->ask('MESSAGE', body => 'hi')->{code}, qr/^40[137]$/,
    'nothing else before it');

$r = $mary->register(bearer($jwt->token('mary', exp => time() - 3600)));

is($r->{code}, 401, 'expired');
like($r->h('WWW-Authenticate'), qr/error="invalid_token"/, 'invalid_token');
is($mary->register(bearer($jwt->token('mary', aud => 'x')))->{code}, 401,
    'other audience');
is($mary->register(bearer('nonsense'))->{code}, 401, 'nonsense');
is($mary->register(headers => [ Authorization => 'Digest username="mary"' ])
    ->{code}, 401, 'Digest instead');
is(scalar $core->seen('REGISTER'), 0, 'core saw nothing');

is($mary->register(bearer($jwt->token('eve')))->{code}, 403,
    'token of another user');
is(scalar $core->seen('REGISTER'), 0, 'core saw nothing still');
$mary->close();

# both spellings

for my $value ($token, "access_token=\"$token\"") {
    $mary = IMS::Browser->open(path => '/sip', impu => $impu);
    is($mary->register(bearer($value))->{code}, 200,
        length $value > length $token ? '24.371 spelling' : 'RFC spelling');
    $mary->close();
}

my $seen = join "\n", map { $_->{raw} } $core->seen('REGISTER');

like($seen, qr/integrity-protected/, 'core saw a REGISTER');
unlike($seen, qr/Bearer|access_token|\Q$token\E/, 'but no token');

# a Gm-style client repeats the token in every request

$mary = IMS::Browser->open(path => '/sip', impu => $impu);
$mary->register(bearer($token));
$mary->start('MESSAGE', bearer($token), body => 'hi');
$r = $core->expect('MESSAGE');
$core->reply($r, 200, 'OK');

is($mary->final('MESSAGE')->{code}, 200, 'token in a MESSAGE');
unlike($r->{raw}, qr/Bearer|\Q$token\E/, 'taken away');
$mary->close();

# both: with a token in the handshake none is needed in SIP

$mary = IMS::Browser->open(path => '/both', token => $token);
is($mary->register()->{code}, 200, 'both: token in the handshake');
$mary->close();

$mary = IMS::Browser->open(path => '/both', impu => $impu);
is($mary->register()->{code}, 401, 'both: no token');
is($mary->register(bearer($token))->{code}, 200, 'both: token in SIP');
$mary->close();

# with handshake a SIP token of another user does not change who it is

$mary = IMS::Browser->open(token => $token);
my $eve = IMS::Browser::api('POST', token => $jwt->token('eve'))
    ->{json}{identity};
is($mary->register(bearer($jwt->token('eve')), to => $eve)->{code}, 403,
    'handshake: user stays');
$mary->close();
