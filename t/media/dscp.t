#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The code points of media packets, as they arrive (ME-14); see mh_dscp.c.

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use Socket qw/ PF_INET6 SOCK_DGRAM inet_pton AF_INET6 pack_sockaddr_in6 /;
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use IMS::MediaServer;

my $top = abs_path(dirname(__FILE__) . '/../..');

system("make -s -C $top/t/media >&2") == 0 or BAIL_OUT('no client');

my $s;
my $v6 = socket($s, PF_INET6, SOCK_DGRAM, 0)
    && bind($s, pack_sockaddr_in6(0, inet_pton(AF_INET6, '::1')));
my $port = IMS::MediaServer::free_port();

my $helper = IMS::MediaServer->helper_new(options => ['-q', '46,34',
    $v6 ? ('-w', "127.0.0.1,[::1]:$port", '-i', '127.0.0.1,::1') : ()]);

ok($_->[0], $_->[1]) for $helper->results('dscp', $v6 ? '-6' : ());
is($helper->stop(), 0, 'ends well');
unlike($helper->text(), qr/Sanitizer|runtime error/, 'and says nothing');

done_testing();
