#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The registration of a block over a reload: kept as long as the configuration
# has the same one, else the new one is made at once.

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

my $t = Test::Nginx->new()->has(qw/ http /)->plan(8);

my $jwt = IMS::JWT->new($t);
my $core = IMS::Core->new()->registrar();

sub configure {
    my ($user, $impi) = @_;

    $t->write_file_expand('nginx.conf', ims_conf(pool =>
        "register_block sip:$user\@acme.ims.operator.example "
            . "impi=$impi\@ims.operator.example;"));
}

sub registered {
    my ($n) = @_;

    IMS::Loop::wait_for(sub { $core->seen('REGISTER') >= $n }, 5);
    return ($core->seen('REGISTER'))[$n - 1] || IMS::SIP::None->new();
}

configure('main', 'acme');
$t->run();

my $first = registered(1);

like($first->h('To'), qr/sip:main\@/, 'registered');

# the same

$t->reload();
IMS::Loop::pause(2);
is(scalar $core->seen('REGISTER'), 1, 'not again for a reload');

# another identity

configure('other', 'acme');
$t->reload();

my $second = registered(2);

like($second->h('To'), qr/sip:other\@/, 'another identity');

my $mary = IMS::Browser->open(token => $jwt->token('mary'));

ok(IMS::Loop::wait_for(sub { $mary->register()->{code} == 200 }, 3),
    'users are served from it');

# another private identity

configure('other', 'acme-2');
$t->reload();

my $third = registered(3);

like($third->h('To'), qr/sip:other\@/, 'the same identity');
like($third->h('Authorization'), qr/username="acme-2\@/, 'as another');
cmp_ok($third->cseq(), '>', $second->cseq(), 'CSeq goes on');
is(scalar $core->seen('REGISTER'), 3, 'once each');

# a sub holds it: the two tests of its own come now, not too late

undef $t;
