#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# An identity that is free can be had, whatever waits before it in the lists: a
# release without quarantine, and times that a reload made shorter.

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
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(17);

my $jwt = IMS::JWT->new($t);

sub conf {
    $t->write_file_expand('nginx.conf', ims_conf(
        identity => 'sip:u[1-3]@acme.example', @_,
        server => 'location /ims/admin/ { ims_portal_admin acme; }'));
}

conf(lease => '1h', quarantine => '1h');
$t->run();

my $core = IMS::Core->new()->registrar();
my $admin = IMS::Admin->new();

sub id { return "sip:u$_[0]\@acme.example" }

sub api {
    my ($method, $user) = @_;

    my $r = IMS::Browser::api($method, token => $jwt->token($user));

    return $r->{json}{identity} // $r->{status};
}

sub reload {
    my $said = 'gracefully shutting down';
    my $n = () = $t->read_file('error.log') =~ /$said/g;

    $t->reload();
    ok(IMS::Loop::wait_for(sub {
        my $now = () = $t->read_file('error.log') =~ /$said/g;
        return $now > $n;
    }, 5), 'reloaded');
}

# a release without quarantine, behind one that has an hour of it

is(api('POST', $_->[0]), id($_->[1]), "$_->[0]")
    for [ mary => 1 ], [ bob => 2 ];

my $carol = IMS::Browser->open(token => $jwt->token('carol'));
is($carol->register()->{code}, 200, 'carol, with a browser');

is(api('DELETE', 'mary'), 204, 'mary gives hers back');
is(api('POST', 'dave'), 503, 'it rests');
is($admin->del('leases/' . id(2) . '?quarantine=0')->{status}, 204,
    'bob loses his without');
is(api('POST', 'dave'), id(2), 'dave has it at once');
is($admin->del('leases/' . id(3) . '?quarantine=0')->{status}, 202,
    'carol loses hers with her browser');
is($carol->closed(2), 4411, 'which is closed');

my $got;

IMS::Loop::wait_for(sub { ($got = api('POST', 'erin')) ne '503' }, 5);
is($got, id(3), 'erin has it when that is gone');

# a shorter quarantine, behind the hour

conf(lease => '1h', quarantine => '1s');
reload();

is(api('DELETE', 'dave'), 204, 'dave gives his back');
is(api('POST', 'frank'), 503, 'it rests');
IMS::Loop::pause(2.2);
is(api('POST', 'frank'), id(2), 'not for an hour');

# a shorter lease, behind one of an hour

conf(lease => '1s', quarantine => '1s');
reload();

is(api('POST', 'frank'), id(2), 'frank renews');
IMS::Loop::pause(3.2);
is(api('POST', 'gina'), id(2), 'his ended, though older ones last');

# a sub holds it: the two tests of its own come now, not too late

undef $t;
