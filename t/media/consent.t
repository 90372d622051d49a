#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Consent (ME-5, RFC 7675) of a browser, lost and found again; see
# mh_consent.c.

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use IMS::MediaServer;

my $top = abs_path(dirname(__FILE__) . '/../..');

system("make -s -C $top/t/media >&2") == 0 or BAIL_OUT('no client');

my $helper = IMS::MediaServer->helper_new(
    options => ['-e', 2, '-T', IMS::MediaServer::free_port()]);

ok($_->[0], $_->[1]) for $helper->results('consent');
is($helper->stop(), 0, 'ends well');
unlike($helper->text(), qr/Sanitizer|runtime error/, 'and says nothing');

done_testing();
