#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A claim may say that emergency calls of a user would reach the wrong centre:
# only a plain "false" does, and he is told to take a telephone.

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
use IMS::SDP qw/ web_sdp /;
use JSON::PP;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(7);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    core => 'emergency numbers=112 '
        . '"route=<sip:127.0.0.1:%%PORT_8981_UDP%%;lr>";',
    media => 'unix:%%TESTDIR%%/ng.sock',
    server => 'ims_portal_claim emergency sos; ims_portal_claim calls n;'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $users = 0;

sub help {
    my $web = IMS::Browser->open(token => $jwt->token('user' . ++$users, @_));

    $web->register();
    $web->start('INVITE', to => 'tel:112', sdp_body(web_sdp()));

    if (my $seen = $core->expect('INVITE', 1)) {
        $core->reply($seen, 486, 'Busy Here');
        $web->final('INVITE');

        return 'routed';
    }

    return $web->final('INVITE')->{code};
}

is(help(), 'routed', 'nothing said');
is(help(sos => JSON::PP::true), 'routed', 'true');
is(help(sos => JSON::PP::false), 380, 'false');
is(help(sos => $_), 'routed', 'neither') for 'maybe', [ 0 ], 17;
is(help(n => 0), 'routed', 'no other calls');

# the last tests are its own

undef $t;
