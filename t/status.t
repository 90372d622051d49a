#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The status location: numbers that follow what happens.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Call qw/ call_up hang_up /;
use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::NG;
use JSON::PP qw/ decode_json /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(6);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(workers => 2,
    media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

sub status { return IMS::Browser::api('GET', path => '/ims/status') }

my $r = status();

is($r->{status}, 200, 'status');
like($r->{head}, qr!^Content-Type: application/json!mi, 'JSON');
is(ref $r->{json}, 'HASH', 'object');

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));

$mary->register();
my $call = call_up($mary, $core);
my $busy = status();

isnt($busy->{body}, $r->{body}, 'numbers changed');
unlike($busy->{body}, qr/eyJ|Bearer/, 'no token');
hang_up($mary, $call->{web}, $core);
$mary->close();

is(IMS::Browser::api('POST', path => '/ims/status')->{status}, 405,
    'only to be read');
