#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Nobody but the two ends of a call gets anything through the helper; see
# strangers.c.  The same client sees what rtpengine, as it is by default, lets
# through: so it would see it here, too.  A race inside rtpengine may spoil a
# run of that, so it has three.

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
    options => [split ' ', $ENV{MEDIA_OPTIONS} || '']);
my @results = $helper->results('strangers');

ok($_->[0], $_->[1]) for @results;
cmp_ok(scalar @results, '>=', 130, 'all of it ran');
ok($helper->alive(), 'the helper is alive');
is($helper->stop(), 0, 'ends well');
unlike($helper->text(), qr/Sanitizer|runtime error/, 'and says nothing');
cmp_ok(scalar(split /\n/, $helper->text()), '<', 40, 'or not much');

for (1 .. 3) {
    my $reference = IMS::MediaServer->rtpengine_new();

    @results = $reference->results('strangers', '-r');
    last if !grep { !$_->[0] } @results;
}

ok($_->[0], $_->[1]) for @results;
is(scalar @results, 4, 'all of that ran');

done_testing();
