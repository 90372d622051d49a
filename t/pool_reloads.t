#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A worker of a configuration that two reloads replaced gives no identity away
# that its entry was of then, and is another one's now.

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

my $t = Test::Nginx->new()->has(qw/ http /)->plan(6);

my $jwt = IMS::JWT->new($t);

sub conf {
    $t->write_file_expand('nginx.conf', ims_conf(auth => 'both',
        shutdown => '4s', identity => $_[0]));
}

sub id { return "sip:u$_[0]\@acme.example" }

sub reload {
    my $n = () = $t->read_file('error.log') =~ /gracefully shutting/g;

    conf($_[0]);
    $t->reload();

    ok(IMS::Loop::wait_for(sub {
        my $now = () = $t->read_file('error.log') =~ /gracefully shutting/g;
        return $now > $n;
    }, 5), "reloaded: $_[0]");
}

conf(id(1) . '; ' . id(2));
$t->run();

my $core = IMS::Core->new()->registrar();

my $bob = IMS::Browser->open(token => $jwt->token('bob'), lease => 0,
    impu => id(1));

reload(id(2));

my $mary = IMS::Browser::api('POST', token => $jwt->token('mary'));
is($mary->{json}{identity}, id(2), 'mary has what stays');

reload(id(2) . '; ' . id(9));

# what has the entry of u1 is u9 now

my $r = $bob->register();

is($r->{code}, 503, 'bob gets nothing from the worker of the past');

my $carol = IMS::Browser::api('POST', token => $jwt->token('carol'));
is($carol->{json}{identity}, id(9), 'carol gets what is new');
is(scalar(grep { $_->h('To') =~ /u1@/ } $core->seen('REGISTER')), 0,
    'the core has not heard of what went');

$bob->close();

# a sub holds it: the two tests of its own come now, not too late

undef $t;
