#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# What a good token has to have besides, by variables.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use JSON::PP ();
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(18);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    http => <<'EOC',
    ims_portal_claim_set $number phoneNumber;

    map $ims_portal_claim_role $allowed {
        default 0;
        admin 1;
    }
EOC
    server => <<'EOC'));
        location = /claim {
            ims_portal_session acme;
            ims_portal_jwt_require $ims_portal_claim_phone $number;
        }
        location = /map {
            ims_portal_session acme;
            ims_portal_jwt_require $allowed error=403;
        }
        location = /both {
            ims_portal_session acme;
            ims_portal_jwt_require $ims_portal_claim_phone;
            ims_portal_jwt_require $allowed error=403;
        }
        location = /socket {
            ims_portal acme;
            ims_portal_jwt_require $allowed error=403;
        }
        location = /sip {
            ims_portal acme;
            ims_portal_auth sip;
            ims_portal_jwt_require $ims_portal_claim_phone error=403;
            ims_portal_jwt_require $number;
        }
EOC
$t->run();

my $core = IMS::Core->new()->registrar();

sub at {
    my ($path, %claims) = @_;

    return IMS::Browser::api('POST', path => $path,
        token => $jwt->token('mary', %claims));
}

my %all = (phone => JSON::PP::true, phoneNumber => '+1', role => 'admin');

like(at('/claim', %all)->{status}, qr/^20/, 'claims');

my $r = at('/claim', phone => 1);

is($r->{status}, 401, 'one is absent');
like($r->{head}, qr/^WWW-Authenticate: Bearer .*"invalid_token"/m,
    'invalid_token');
is(at('/claim', %all, phone => $_)->{status}, 401, 'empty or 0') for '', 0,
    '0';
is(at('/claim', %all, phone => [])->{status}, 401, 'an empty list');
like(at('/map', %all)->{status}, qr/^20/, 'map');

$r = at('/map', %all, role => 'clerk');

is($r->{status}, 403, 'map: not');
like($r->{head}, qr/^WWW-Authenticate: Bearer .*"insufficient_scope"/m,
    'insufficient_scope');
is(at('/both', role => 'admin')->{status}, 401, 'both: one is absent');
is(at('/both', phone => 1)->{status}, 403, 'both: the other');

# sockets

sub opens {
    my (%claims) = @_;

    my $web = IMS::Browser->open(path => '/socket', lease => 0,
        token => $jwt->token('mary', %claims));

    return $web->{status};
}

is(opens(%all), 101, 'handshake');
is(opens(), 403, 'handshake: not');

my $identity = at('/claim', %all)->{json}{identity};
my $mary = IMS::Browser->open(path => '/sip', impu => $identity);

sub register {
    return $mary->register(headers => [ Authorization => 'Bearer '
        . $jwt->token('mary', @_) ]);
}

is(register(phoneNumber => 1)->h('Warning'),
    '399 portal "token lacks what is required"', 'SIP: 403');
$r = register(phone => 1);
is($r->{code}, 401, 'SIP: 401');
like($r->h('WWW-Authenticate'), qr/"invalid_token"/, 'SIP: invalid_token');
is(register(%all)->{code}, 200, 'SIP');

# the last tests are its own

undef $t;
