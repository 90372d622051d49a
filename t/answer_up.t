#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# What a browser answers speaks of that browser alone: the core must not take
# it for the portal's word (RFC 3261 16.7), and nobody is challenged by it.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ sdp_body /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::NG;
use IMS::SDP qw/ ims_sdp /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(19);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));

is($mary->register()->{code}, 200, 'registered');

for my $case ([ 503, 500 ], [ 401, 403 ], [ 407, 403 ], [ 403, 403 ],
    [ 302, 302 ], [ 603, 603 ])
{
    my ($said, $heard) = @$case;

    for my $method (qw/ MESSAGE INVITE /) {
        my @body = $method eq 'INVITE' ? sdp_body(ims_sdp())
            : (body => 'x', headers => [ 'Content-Type' => 'text/plain' ]);
        my $sent = $core->terminating($method, to => $mary->{impu}, @body);

        $mary->reply($mary->expect($method), $said, 'No', headers => [
            'Retry-After' => 3600,
            'WWW-Authenticate' => 'Digest realm="x", nonce="mine"',
            'Proxy-Authenticate' => 'Digest realm="x", nonce="mine"' ]);

        my $r = $core->final($method);
        is($r->{code}, $heard, "$said to $method");
        $core->same_hop($sent, 'ACK', $r->h('To')) if $method eq 'INVITE';

        unlike($r->{raw}, qr/nonce|3600/, 'nothing else of it')
            if $said != $heard;
    }
}
