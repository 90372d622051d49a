#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Caps of one user by claim, below those of the pool: browsers, calls at once,
# calls and premium calls in an hour. The pool is the ceiling where it says so.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ call_up hang_up sdp_body /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::NG;
use IMS::SDP qw/ web_sdp /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(23);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock',
    core => 'dial_plan country=49 trunk=0; premium +4990;',
    pool => 'devices 2; calls 2;',
    server => join "\n", map { "ims_portal_claim $_ $_;" }
        qw/ devices calls calls_per_hour premium_per_hour /));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();

sub browser {
    my ($user, %claims) = @_;

    return IMS::Browser->open(token => $jwt->token($user, %claims));
}

sub login {
    my ($web) = (browser(@_));

    $web->register();

    return $web;
}

sub call {
    my ($web, $to) = @_;

    $web->start('INVITE', sdp_body(web_sdp()),
        to => $to || 'sip:bob@ims.operator.example');

    if (my $seen = $core->expect('INVITE', 1)) {
        $core->reply($seen, 486, 'Busy Here');
        $web->final('INVITE');
        $core->expect('ACK');

        return 'passes';
    }

    my $r = $web->final('INVITE');

    return "$r->{code} " . $r->h('Warning');
}

# browsers

is(browser('one', devices => 1)->register()->{code}, 200, 'one of one');

my $r = browser('one', devices => 1)->register();

is($r->{code} . $r->h('Warning'), '403399 portal "too many browsers"',
    'two of one');
is(browser('many', devices => 50)->register()->{code}, 200,
    'one of as many as the pool has') for 1 .. 2;
is(browser('many', devices => 50)->register()->{code}, 403,
    'the pool is the ceiling');
is(browser('none', devices => 0)->register()->{code}, 403, 'none');
is(browser('text', devices => '1')->register()->{code}, 200, 'as text');
is(IMS::Browser::api('POST', token => $jwt->token('x', devices => $_))
    ->{status}, 403, 'no number') for -1, 1.5, 'two', [ 1 ];

# calls at once

my $mary = login('mary', calls => 1);
my $call = call_up($mary, $core);

is(call($mary), '403 399 portal "too many calls at once"', 'two of one');
hang_up($mary, $call->{web}, $core);
is(call($mary), 'passes', 'one of one');

my $joe = login('joe', calls => 9);
my @calls = map { call_up($joe, $core) } 1 .. 2;

is(call($joe), '403 399 portal "too many calls at once"',
    'the pool is the ceiling');

my $no = '403 399 portal "not allowed by your token"';

is(call(login('zero', calls => 0)), $no, 'no calls');

# in an hour, where the pool says nothing

my $ann = login('ann', calls_per_hour => 2, premium_per_hour => 1);

is(call($ann, 'tel:+4990123'), 'passes', 'a premium one');
like(call($ann, 'tel:+4990123'), qr/^480 .*too many premium calls/,
    'one of them an hour');
is(call($ann), 'passes', 'another');
like(call($ann), qr/^480 .*too many calls in an hour/, 'two an hour');

my $tom = login('tom', calls_per_hour => 0);

is(call($tom), $no, 'none in an hour');

my $sue = login('sue', premium_per_hour => 0);

is(call($sue, 'tel:+4990123'), $no, 'no premium ones');
is(call($sue), 'passes', 'others are');

# a cap belongs to the user of that token, another has the pool's

is(call(login('eve')), 'passes', 'no claims');

# the last tests are its own

undef $t;
