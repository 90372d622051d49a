#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A block of numbers registered at once by a Contact with "bnc" (GIN, RFC 6140;
# RG-19): the number called is in the Request-URI.

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

my $t = Test::Nginx->new()->has(qw/ http /)->plan(14);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    identity => 'tel:+1555010[0000-0099] impi=acme@ims.operator.example',
    pool => 'register_block sip:pbx@acme.ims.operator.example '
        . 'impi=acme@ims.operator.example gin '
        . 'profile_key=sip:pbx@acme.ims.operator.example;'));

my $core = IMS::Core->new()->registrar();
my $own = '127.0.0.1:' . port(8980, udp => 1);

$t->run();

my $reg = IMS::Loop::wait_for(sub { ($core->seen('REGISTER'))[0] }, 5);

is(IMS::SIP::uri_of($reg->h('Contact')), "sip:$own;bnc",
    'Contact with bnc, without user');
like($reg->h('Require'), qr/\bgin\b/, 'Require: gin');
like($reg->h('Require'), qr/\bpath\b/, 'Require: path');
is($reg->h('Proxy-Require'), 'gin', 'Proxy-Require: gin');
like($reg->h('Supported'), qr/\bpath\b/, 'Supported: path');

my $mary = IMS::Browser->open(token => $jwt->token('mary'));
my $ok;

IMS::Loop::wait_for(sub {
    $ok = $mary->register();
    return $ok->{code} == 200;
}, 3);

is($ok->{code}, 200, 'a user is served');

my ($number) = $mary->{impu} =~ /^tel:(\+\d+)$/;

ok($number, 'by a number');

# up

$mary->start('MESSAGE', body => 'hello',
    headers => [ 'Content-Type' => 'text/plain' ]);

my $seen = $core->expect('MESSAGE');

is($seen->h('P-Asserted-Identity'), "<tel:$number>", 'PAI');
is($seen->h('P-Profile-Key'), '<sip:pbx@acme.ims.operator.example>',
    'P-Profile-Key as configured');
$core->reply($seen, 200, 'OK');

# down

sub down {
    my ($uri) = @_;

    $core->terminating('MESSAGE', to => 'sip:pbx@acme.ims.operator.example',
        uri => $uri, without => [ 'P-Called-Party-ID' ], body => 'hi',
        headers => [ 'Content-Type' => 'text/plain' ]);
}

down("sip:$number\@$own");
$seen = $mary->expect('MESSAGE');
is($seen->{body}, 'hi', 'to the number in the Request-URI');
$mary->reply($seen, 200, 'OK');
is($core->final('MESSAGE')->{code}, 200, 'and its answer');

down("sip:+15550109999\@$own");
is($core->final('MESSAGE')->{code}, 404, 'a number of another');

down("sip:+15550100099\@$own");
is($core->final('MESSAGE')->{code}, 480, 'a number without a browser');

# a range member is not de-registered singly

$core->forget();
my $n = $core->seen('REGISTER');
$mary->register(expires => 0);
is($core->seen('REGISTER'), $n, 'the core hears nothing of a user who leaves');
