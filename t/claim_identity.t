#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A token asks for an identity of the block: only the form that stands in SIP
# as it is. The pool decides whether it is there to be had.

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

my $t = Test::Nginx->new()->has(qw/ http /)->plan(20);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    identity => 'tel:+1555010[0100-0199] impi=$number@ims.operator.example; '
        . 'sip:u[001-200]@acme.ims.operator.example '
        . 'impi=$user@ims.operator.example',
    server => 'ims_portal_claim identity ims_impu;
        location = /sip {
            ims_portal acme;
            ims_portal_auth sip;
        }'));
$t->run();

my $core = IMS::Core->new()->registrar();
my $users = 0;

sub asks {
    my ($identity) = @_;

    return IMS::Browser::api('POST',
        token => $jwt->token('user' . ++$users, ims_impu => $identity));
}

my $sip = 'sip:u077@acme.ims.operator.example';

is(asks($sip)->{json}{identity}, $sip, 'one of the block');
is(asks('tel:+15550100123')->{json}{identity}, 'tel:+15550100123',
    'a number');
is(asks(undef)->{status}, 201, 'none asked for');

# not the form, or not the block

my %no = (
    'not of the block' => 'sip:eve@acme.ims.operator.example',
    'another domain' => 'sip:u078@evil.example',
    'a password' => 'sip:u078:x@acme.ims.operator.example',
    'a parameter' => 'sip:u078@acme.ims.operator.example;maddr=192.0.2.1',
    'headers' => 'sip:u078@acme.ims.operator.example?Route=x',
    'another scheme' => 'https://acme.ims.operator.example/u078',
    'CR LF' => "sip:u078\r\nX: y\@acme.ims.operator.example",
    'quotes' => 'sip:"u078"@acme.ims.operator.example',
    'two @' => 'sip:u078@a@acme.ims.operator.example',
    'a space' => "$sip ",
    'look-alike letters' => "sip:\x{0443}078\@acme.ims.operator.example",
    'too long' => 'sip:' . ('u' x 300) . '@acme.ims.operator.example',
    'empty' => '',
    'a number' => 78,
    'a list' => [ $sip ],
);

for my $title (sort keys %no) {
    my $r = asks($no{$title});

    is($r->{status}, 403, $title);
}

# SIP says it in words

my $mary = IMS::Browser->open(path => '/sip', impu => $sip);
my $r = $mary->register(headers => [ Authorization => 'Bearer '
    . $jwt->token('eve', ims_impu => "sip:u078\r\n\@x") ]);

is($r->{code} . ' ' . $r->h('Warning'),
    '403 399 portal "identity not allowed"', 'SIP: not allowed');
is(scalar $core->seen('REGISTER'), 0, 'the core saw nothing');

# the last tests are its own

undef $t;
