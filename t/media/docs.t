#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# What the media helper says of itself is what its documents say: each option
# of -h is in docs/media-helper.md and in the manual page, each figure of
# "statistics" in the former, and nothing else is.

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use IMS::MediaServer;

my $top = abs_path(dirname(__FILE__) . '/../..');
my $helper = IMS::MediaServer::helper();
my $doc = content("$top/docs/media-helper.md");
my $manual = content("$top/media-helper/media-helper.8");

# options

my $usage = `'$helper' -h 2>&1`;
my @told = sort $usage =~ /^  -(\w)\b/mg;

cmp_ok(scalar @told, '>=', 20, 'the helper tells its options');

my $table = section('Options');
my @rows = map { /^\| (`[^|]+)\|/ ? $1 : () } split /\n/, $table;

is_deeply([ sort map { /`-(\w)`/g } @rows ], \@told,
    'docs/media-helper.md has the same');

is_deeply([ sort $manual =~ /^\.It Fl (\w)\b/mg ], \@told,
    'so has the manual page');

# figures

my $h = IMS::MediaServer->helper_new();
my @listed = section('Statistics') =~ /^\| `([^`]+)` \| [cg] \|/mg;
my $figures = $h->ng('statistics')->{statistics};

cmp_ok(scalar keys %$figures, '>=', 40, 'there are figures');

is_deeply([ sort @listed ], [ sort keys %$figures ],
    'docs/media-helper.md has the same');

done_testing();

###############################################################################

sub content {
    my ($name) = @_;

    open my $f, '<', $name or die "$name: $!\n";
    local $/;

    return scalar <$f>;
}

# the text below a heading, up to the next one

sub section {
    my ($name) = @_;

    my ($text) = $doc =~ /^#+ \Q$name\E\n(.*?)(?=^#)/ms;
    die "no section \"$name\"\n" unless defined $text;

    return $text;
}
