#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Who is moved by an administrator gets nothing that is kept for somebody else,
# and a guest stays a guest, of whom no more are let in than before.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Admin;
use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use JSON::PP ();
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(21);

my $jwt = IMS::JWT->new($t);

sub conf {
    $t->write_file_expand('nginx.conf', ims_conf(
        identity => 'sip:u[1-9]@acme.example', quarantine => '1h',
        pool => "@_ guests lease=600s max=1;",
        server => 'ims_portal_claim guest guest;'
            . 'location /ims/admin/ { ims_portal_admin acme; }'));
}

conf('reserve user=boss identity=sip:u1@acme.example;');
$t->run();

my $core = IMS::Core->new()->registrar();
my $admin = IMS::Admin->new();

sub token {
    my ($user, $guest) = @_;

    return $jwt->token($user, $guest ? (guest => JSON::PP::true()) : ());
}

sub lease {
    my $r = IMS::Browser::api('POST', token => token(@_));

    return $r->{json}{identity} // $r->{status};
}

sub id { return "sip:u$_[0]\@acme.example" }

sub move {
    return $admin->post('users/move', { user => $_[0],
        identity => id($_[1]) })->{status};
}

sub at { return $admin->get('leases/' . id($_[0]))->{json} }

sub guests {
    return IMS::Browser::api('GET', path => '/ims/status')
        ->{json}{pools}[0]{guests};
}

is(lease('mary'), id(2), 'mary has one that is kept for nobody');
is(move('mary', 1), 409, 'not to what is kept for the boss');
is(at(1)->{state}, 'free', 'which stays free');
is(lease('boss'), id(1), 'his');
is(move('boss', 3), 200, 'he is moved');
is(move('mary', 1), 409, 'his rests');

# a guest with a browser

my $guest = IMS::Browser->open(token => token('guest', 1));
is($guest->register()->{code}, 200, 'a guest');

my ($had) = $guest->{impu} =~ /u(\d)/;

is(guests(), 1, 'is one');
is(lease('other', 1), 503, 'no other is let in');
is(move('guest', 8), 200, 'he is moved');
is(guests(), 1, 'and one guest still');
is(lease('other', 1), 503, 'no other is let in');
is($guest->closed(2), 4411, 'his socket is closed');
ok(IMS::Loop::wait_for(sub { at($had)->{state} eq 'resting' }, 5),
    'what he had rests');
is(guests(), 1, 'one guest');
cmp_ok(at(8)->{expires} - time(), '<', 610, 'for the time of a guest');
is(lease('guest', 1), id(8), 'he comes back');

# kept for somebody who has another one

conf('reserve user=mary identity=sip:u9@acme.example;');
$t->reload();

ok(IMS::Loop::wait_for(sub {
    $t->read_file('error.log') =~ /gracefully shutting down/;
}, 5), 'reloaded');
is(move('boss', 9), 409, 'not to what is kept for mary');
is(move('mary', 9), 200, 'but mary is');
is($admin->wrong(), '', 'as docs/admin-api.yaml says');

# a sub holds it: the two tests of its own come now, not too late

undef $t;
