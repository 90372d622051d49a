#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# An identity leaves the configuration, and tokens may name it from then on: it
# is its user's as long as he has a browser, and through its quarantine.

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

sub conf {
    $t->write_file_expand('nginx.conf', ims_conf(workers => 2,
        quarantine => '2s', lease => '1h', identity => $_[0],
        grace => '500ms', server => 'ims_portal_claim identity ims_impu;'));
}

conf('sip:u[1-3]@acme.example');
$t->run();

my $core = IMS::Core->new()->registrar();

sub id { return "sip:u$_[0]\@acme.example" }

sub lease {
    my ($user, $identity) = @_;

    my $r = IMS::Browser::api('POST', token => $jwt->token($user,
        $identity ? (ims_impu => $identity) : ()));

    return $r->{json}{identity} // $r->{status};
}

my $mary = IMS::Browser->open(token => $jwt->token('mary'));
is($mary->register()->{code}, 200, 'registered');
is($mary->{impu}, id(1), 'mary');
is(lease('bob', id(2)), id(2), 'bob, without a browser');

# all of the domain, by name

conf('claim=ims_impu domain=acme.example');
$t->reload();

# a worker of before may take a connection until it is told to end

IMS::Loop::wait_for(sub {
    my $n = () = $t->read_file('error.log') =~ /gracefully shutting down/g;
    return $n == 2;
}, 5);

is(lease('carol', id(9)), id(9), 'names are taken');

is(lease('dave', id(1)), 409, 'not that of mary, who is there');
is(lease('dave', 'sip:%75' . '1@ACME.example'), 409,
    'nor in another spelling');
is(lease('dave', id(2)), 409, 'nor that of bob');
is(lease('dave', id(3)), id(3), 'what nobody had');
is(lease('bob', id(2)), id(2), 'bob has his, by name');
is(lease('erin', id(2)), 409, 'nobody else');
is(lease('mary', id(1)), id(1), 'mary has hers');

$mary->close();

my $got;

IMS::Loop::wait_for(sub {
    IMS::Loop::pause(0.2);
    return ($got = lease('frank', id(1))) ne '409';
}, 3);

is($got, 409, 'her lease lasts');
is(lease('mary', id(1)), id(1), 'and is hers');

# a sub holds it: the two tests of its own come now, not too late

undef $t;
