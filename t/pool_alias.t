#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A block of telephone numbers: each has a SIP form, by which its user may
# register, too, and by which he is called.

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

my $t = Test::Nginx->new()->has(qw/ http /)->plan(9);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    identity => 'tel:+1-555-01[000-009] alias=numbers.acme.example '
        . 'impi=$number@ims.operator.example',
    pool => 'identity "sip:+155502[00-09]@acme.example;user=phone" '
        . 'impi=$user@ims.operator.example; '
        . 'reserve user=bob identity=tel:+15550203;'));

$t->run();

my $core = IMS::Core->new()->registrar();
my $alias = 'sip:+155501000@numbers.acme.example;user=phone';

# by each of its names

my $mary = IMS::Browser->open(token => $jwt->token('mary'));
is($mary->{impu}, 'tel:+1-555-01000', 'leased');
is($mary->register()->{code}, 200, 'registered');
like(($core->seen('REGISTER'))[-1]->h('To'), qr/<tel:\+1-555-01000>/,
    'with its first name');

for my $other ($alias, 'sip:+155501000@Numbers.Acme.example;user=phone') {
    my $web = IMS::Browser->open(token => $jwt->token('mary'),
        impu => $other, instance => '0b3c1a52-7d1e-4c11-9a6e-0000000000'
            . (10 + length $other) % 100);
    is($web->register()->{code}, 200, "registered as $other");
}

my $foreign = IMS::Browser->open(token => $jwt->token('mary'),
    impu => 'sip:+155501000@elsewhere.example;user=phone');
is($foreign->register()->{code}, 403, 'not in another domain');

# a SIP form as the identity itself

my $bob = IMS::Browser->open(token => $jwt->token('bob'));
is($bob->{impu}, 'sip:+15550203@acme.example;user=phone', 'a SIP form');
is($bob->register()->{code}, 200, 'registered with it');
like(($core->seen('REGISTER'))[-1]->h('To'),
    qr/^<sip:\+15550203\@acme\.example;user=phone>/, 'as it is');
