#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# What keys of ng do to packets in the media helper, as a black box: mh_keys
# plays the proxy, a browser and an RTP end.  MEDIA_OPTIONS has more options
# for the helper.

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use IMS::MediaServer;

my $top = abs_path(dirname(__FILE__) . '/../..');

system("make -s -C $top/t/media >&2") == 0 or BAIL_OUT('no client');

my $helper = IMS::MediaServer->helper_new(options => ['-p', '33002-33400',
    split ' ', $ENV{MEDIA_OPTIONS} || '']);

ok($_->[0], $_->[1]) for $helper->results('keys');
is($helper->stop(), 0, 'ends well');
unlike($helper->text(), qr/Sanitizer|runtime error/, 'and says nothing');

done_testing();
