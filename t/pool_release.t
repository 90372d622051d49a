#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# An identity that is given back rests, and is its former user's again while
# nobody needed it; with browsers it goes with the last of them.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(13);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(workers => 2,
    identity => 'sip:u[1-2]@acme.example', quarantine => '2s'));

sub api {
    my ($method, $user) = @_;

    my $r = IMS::Browser::api($method, token => $jwt->token($user));

    return $r->{json}{identity} // $r->{status};
}

$t->run();

my $core = IMS::Core->new()->registrar();

is(api('POST', 'mary'), 'sip:u1@acme.example', 'leased');
is(api('DELETE', 'mary'), 204, 'given back');
is(api('GET', 'mary'), 404, 'not hers');
is(api('DELETE', 'mary'), 404, 'not twice');
is(api('POST', 'bob'), 'sip:u2@acme.example', 'hers rests');
is(api('POST', 'carol'), 503, 'for all others');
is(api('POST', 'mary'), 'sip:u1@acme.example', 'but for her');

# with a browser

my $web = IMS::Browser->open(token => $jwt->token('mary'));
is($web->register()->{code}, 200, 'registered');
is(api('DELETE', 'mary'), 204, 'given back with a browser');

ok(IMS::Loop::wait_for(sub {
    return grep { $_->bytes() =~ /^Expires: 0\b|^Contact:.*;expires=0\b/mi }
        $core->seen('REGISTER');
}, 5), 'de-registered');

is(api('GET', 'mary'), 404, 'not hers');

my $got;

IMS::Loop::wait_for(sub {
    IMS::Loop::pause(0.1);
    return ($got = api('POST', 'carol')) ne '503';
}, 8);

is($got, 'sip:u1@acme.example', 'another user has it');
is(api('POST', 'mary'), 503, 'and she has none');
