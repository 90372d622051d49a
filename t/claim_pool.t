#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Which pools a token is good for: a text with blanks or an array, and the
# one of the location must be among them.

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

my $t = Test::Nginx->new()->has(qw/ http /)->plan(12);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    server => 'ims_portal_claim pool pools;
        location = /sip {
            ims_portal acme;
            ims_portal_auth sip;
        }'));
$t->run();

my $core = IMS::Core->new()->registrar();

sub at {
    my ($pools) = @_;

    return IMS::Browser::api('POST', token => $jwt->token('mary',
        pools => $pools));
}

like(at('acme')->{status}, qr/^20/, 'one');
like(at('other acme')->{status}, qr/^20/, 'among others');
like(at([ 'other', 'acme' ])->{status}, qr/^20/, 'of a list');

my $r = at('other');

is($r->{status}, 403, 'another one');
like($r->{head}, qr/^WWW-Authenticate: Bearer .*insufficient_scope/m,
    'insufficient_scope');
is(at(undef)->{status}, 403, 'absent');
is(at([])->{status}, 403, 'an empty list');
is(at([ 'other acme' ])->{status}, 403, 'a name with a blank');
is(at({ acme => 1 })->{status}, 403, 'an object');
is(at('acme2')->{status}, 403, 'a name that begins so');

# the handshake, and SIP

my $socket = IMS::Browser->open(token => $jwt->token('mary',
    pools => 'other'), lease => 0);

is($socket->{status}, 403, 'handshake');

my $mary = IMS::Browser->open(path => '/sip', impu => 'sip:u001@x.example');

is($mary->register(headers => [ Authorization => 'Bearer '
    . $jwt->token('mary', pools => 'other') ])->h('Warning'),
    '399 portal "token is not for this pool"', 'SIP');

# the last tests are its own

undef $t;
