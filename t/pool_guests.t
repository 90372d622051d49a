#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Guests: so many, for a short while, and nobody knows them again.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::JWT;
use IMS::Loop;
use JSON::PP ();
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(11);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    identity => 'sip:u[1-6]@acme.example',
    pool => 'guests lease=1s max=2;', quarantine => '1s',
    http => 'ims_portal_pool none zone=none:1m core=operator {
        identity sip:n[1-2]@acme.example;
    }',
    server => 'ims_portal_claim guest guest;
        location = /none {
            ims_portal_session none;
        }'));

sub lease {
    my ($user, $guest, @more) = @_;

    my $r = IMS::Browser::api('POST', @more, token => $jwt->token($user,
        $guest ? (guest => JSON::PP::true()) : ()));

    return $r->{json}{identity} // $r->{status};
}

$t->run();

my $one = lease('one', 1);

is($one, 'sip:u1@acme.example', 'a guest');
is(lease('one', 1), $one, 'the same');
is(lease('two', 1), 'sip:u2@acme.example', 'another one');
is(lease('three', 1), 503, 'no more than two');
is(lease('mary'), 'sip:u3@acme.example', 'a user');
is(lease('one', 1, path => '/none'), 403, 'not where no guests are let in');
is(lease('mary', 0, path => '/none'), 'sip:n1@acme.example', 'but users');

my $three;

IMS::Loop::wait_for(sub {
    IMS::Loop::pause(0.1);
    return ($three = lease('three', 1)) ne '503';
}, 5);

is($three, 'sip:u4@acme.example', 'after a while: what is free for longest');
isnt(lease('one', 1), $one, 'the first guest is a new one');
is(lease('bob'), 'sip:u6@acme.example', 'no other has rested');

IMS::Loop::pause(1.2);
is(lease('mary'), 'sip:u3@acme.example', 'a user is known again');
