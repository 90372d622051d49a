#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Two servers of one core: registrations are dealt out between them.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use Test::Nginx qw/ port /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(4);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    core => 'server 127.0.0.1:%%PORT_8982_UDP%%;'));

# before nginx, whose first probes they would miss

my $one = IMS::Core->new()->registrar();
my $two = IMS::Core->new(port => port(8982, udp => 1))->registrar();

$t->run();

for my $n (1 .. 6) {
    my $user = IMS::Browser->open(token => $jwt->token("user$n"));
    $user->register();
    $user->drop();
}

sub registered {
    return scalar grep { $_->h('Contact') !~ /expires=0/ }
        $_[0]->seen('REGISTER');
}

is(registered($one), 3, 'the first server');
is(registered($two), 3, 'the second server');

# the first is down

$one->down();

my $user = IMS::Browser->open(token => $jwt->token('mary'));
is($user->register()->{code}, 200, 'registered at the other');
is($user->register()->{code}, 200, 'and from the record');
$user->close();
