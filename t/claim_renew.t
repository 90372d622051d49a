#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Rights over a renewal: a later token in SIP replaces them; one that was shown to
# the session API lengthens a live socket only if it allows the same.

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

my $t = Test::Nginx->new()->has(qw/ http /)->plan(15);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(workers => 2, auth => 'both',
    server => 'ims_portal_jwt_leeway 0s; ims_portal_claim methods methods;
        ims_portal_claim identity impu; ims_portal_token_grace 0s;'));
$t->run();

my $core = IMS::Core->new()->registrar();
my $begun = time();

sub token {
    my ($user, $life, %claims) = @_;

    return $jwt->token($user, iat => $begun - 60, exp => $begun + $life, %claims);
}

sub login {
    my $web = IMS::Browser->open(token => token(@_));

    is($web->register()->{code}, 200, "$_[0] registers");

    return $web;
}

sub may {
    my ($web) = @_;

    $web->start('MESSAGE', body => 'hi');

    my $seen = $core->expect('MESSAGE', 0.5) or return 0;

    $core->reply($seen, 200, 'OK');
    $web->final('MESSAGE');

    return 1;
}

my $same = login('same', 5, methods => 'MESSAGE');
my $less = login('less', 5, methods => 'MESSAGE');

# HTTP

is(IMS::Browser::api('PUT', token => token('same', 600,
    methods => 'MESSAGE'))->{status}, 200, 'PUT, the same rights');
is(IMS::Browser::api('PUT', token => token('less', 600,
    methods => ''))->{status}, 200, 'PUT, fewer');

# SIP: later, earlier, as long but newer

my $mary = login('mary', 600, methods => 'MESSAGE');

sub shows {
    my ($life, %claims) = @_;

    return $mary->register(headers => [ Authorization => 'Bearer '
        . token('mary', $life, %claims) ])->{code};
}

is(shows(900, methods => '') . may($mary), '2000', 'later: fewer');
is(shows(800, methods => 'MESSAGE') . may($mary), '2000',
    'an older one gives nothing back');
is(shows(700, iat => $begun - 50, methods => 'MESSAGE') . may($mary), '2001',
    'one of a later issue does');

# another identity than the core knows

is(shows(999, iat => $begun - 40, methods => 'MESSAGE',
    impu => 'sip:u150@acme.ims.operator.example'), 403, 'another identity');
is(may($mary), 1, 'as before');

# who may do less by now ends with the token of his socket

is($less->closed($begun + 8 - time()), 4401, 'fewer rights: ended');
cmp_ok(time(), '>=', $begun + 4, 'with its own token');
ok($same->is_open(), 'the same rights: goes on');
is(may($same), 1, 'with them');

my $again = IMS::Browser->open(token => token('less', 600, methods => ''));

$again->register();
is(may($again), 0, 'a new socket has the fewer ones');

# the last tests are its own

undef $t;
