#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# DELETE at the session API: the identity is given back and rests, browsers in
# all workers are told, calls keep it unless they are to end.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(22);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(workers => 2,
    identity => 'sip:u[1-2]@acme.ims.operator.example impi=$user@a.example',
    quarantine => '4s', media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = $jwt->token('mary');

sub api {
    my ($method, $token, %o) = @_;

    return IMS::Browser::api($method, token => $token, %o);
}

is(api('DELETE', $mary)->{status}, 404, 'nothing to give back');

# without a browser: at once

my $impu = api('POST', $mary)->{json}{identity};
my $r = api('DELETE', $mary);

is($r->{status}, 204, 'given back');
is($r->{body}, '', 'without a body');
is(api('GET', $mary)->{status}, 404, 'no lease any more');
is(api('PUT', $mary)->{status}, 404, 'nothing to renew');
is(api('DELETE', $mary)->{status}, 404, 'nor to give back again');

# it rests for others, but not for her

my $bob = api('POST', $jwt->token('bob'));
isnt($bob->{json}{identity}, $impu, 'another user gets another one');

$r = api('POST', $jwt->token('eve'));
is($r->{status}, 503, 'a third one none, it rests');
like($r->{head}, qr/^Retry-After: [1-5]\r$/mi, 'until then');

$r = api('POST', $mary);
is($r->{status}, 201, 'she gets');
is($r->{json}{identity}, $impu, 'hers again');

# browsers are told, in any worker

my @pages = map { IMS::Browser->open(token => $mary) } 1 .. 4;

is(join(' ', map { $_->register()->{code} } @pages), '200 200 200 200',
    'four pages');
is(api('DELETE', $mary)->{status}, 204, 'given back');
is(join(' ', map { $_->closed(5) } @pages), '4412 4412 4412 4412',
    'all are closed');
ok(IMS::Loop::wait_for(sub { api('GET', $mary)->{status} == 404 }, 5),
    'no lease any more');

# a call keeps it

my $page = IMS::Browser->open(token => $mary);
$page->register();

IMS::Call::call_at_once($page, $core, [], []);

$r = api('DELETE', $mary);
is($r->{status}, 409, 'not during a call');
like($r->{json}{detail}, qr/calls are running/, 'why');
is(api('DELETE', $mary, path => '/ims/session?force=0')->{status}, 409,
    'nor with force=0');

is(api('DELETE', $mary, path => '/ims/session?force=1')->{status}, 204,
    'but by force');
my $bye = $core->expect('BYE');
ok($bye, 'the call is ended');
$core->reply($bye, 200, 'OK') if $bye;
is($page->closed(5), 4412, 'the page is told');
ok(IMS::Loop::wait_for(sub { api('GET', $mary)->{status} == 404 }, 5),
    'and the identity is free');
