#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The sources themselves: width, tabs, floors, and a page for each directive.

use warnings;
use strict;

use FindBin;
use Test::More;

my $root = "$FindBin::Bin/..";

sub slurp {
    my ($file) = @_;

    open my $fh, '<', $file or die "can't open $file: $!\n";
    local $/;

    return scalar <$fh>;
}

sub strip {
    my ($file) = @_;

    return $file =~ s/^\Q$root\E\///r;
}

my @c = map { glob "$root/$_" } qw! ngx_ims_portal_module/*.[ch]
    media-helper/*.[ch] t/unit/*.[ch] t/fuzz/*.c t/media/*.[ch]
    t/core/farend/*.[ch] bench/*.[ch] conf-examples/site/login/*.[ch] !;

cmp_ok(scalar @c, '>', 10, 'sources found');

# form

my @bad;

for my $file (@c) {
    my ($n, $text) = (0, slurp($file));

    for my $line (split /\n/, $text) {
        $n++;
        push @bad, strip($file) . ":$n" if length $line > 80
            || $line =~ /\t|\s$|^\s*\/\//;
    }

    push @bad, strip($file) . ': no copyright'
        unless $text =~ /Copyright \(C\) the IMS portal authors/;
    push @bad, strip($file) . ': more than 700 lines' if $n > 700;
    push @bad, strip($file) . ': left-over'
        if $text =~ /\b(?:TODO|FIXME|XXX)\b/;
}

is(join("\n", @bad), '', 'form');

# functions: 60 lines is the rule, the mark is the longest there is

my $longest = 95;

@bad = ();

for my $file (grep { m!/(?:ngx_ims_portal_module|media-helper)/! } @c) {
    my ($n, $from, $name) = (0, 0, '');

    for my $line (split /\n/, slurp($file)) {
        $n++;
        $name = $1 if $line =~ /^(\w+)\(/;
        $from = $n if $line eq '{';
        push @bad, strip($file) . ": $name() has " . ($n - $from + 1) . ' lines'
            if $line eq '}' && $n - $from + 1 > $longest;
    }
}

is(join("\n", @bad), '', "no function of more than $longest lines");

# Floors: what is pure includes only what is pure and the system's headers;
# what does not know HTTP includes nothing that does; no header leads back to
# itself.

my $module = "$root/ngx_ims_portal_module";
my %includes;

for my $file (glob "$module/*.[ch] $root/media-helper/*.[ch]") {
    my ($name) = $file =~ m!([^/]+)$!;
    $includes{$name} = [ slurp($file) =~ /^#include ["<]([^">]+)[">]/mg ];
}

my $pure = qr/^ngx_ims_
    (?:str|sip|dial|ws|ng|jwt|jwk|jws|aka|digest|reginfo)(?:_\w+)?\.[ch]$/x;

@bad = ();

for my $name (sort keys %includes) {
    for my $h (@{$includes{$name}}) {
        push @bad, "$name: $h" if $name =~ $pure
            && $h =~ /^ngx_|^mh_/ && $h !~ $pure;
        push @bad, "$name: $h" if $name =~ /^ngx_ims_/ && $h =~ /^ngx_http/
            && $name ne 'ngx_ims_portal_module.c';
        push @bad, "$name: $h" if $name =~ /^mh_/ && $h =~ /^ngx_/
            && $h !~ /^ngx_ims_(?:ng|str)\.h$/;
    }
}

is(join("\n", @bad), '', 'floors');

# The floors of the module, lowest first: a file includes its own headers and
# those of lower floors, never sideways, never up.

my @floors = (
    [ 'str' ], [ qw/ sip ws ng jwt aka / ],     # pure
    [ qw/ route digest reginfo dial / ],
    [ 'ims' ],                                  # nginx from here on
    [ 'waiter' ],
    [ 'shared' ],
    [ qw/ health limit jwks / ],
    [ qw/ zone txn core leader ipc media secret / ],   # one resource each
    [ qw/ pool loop probe / ],
    [ 'order' ],
    [ qw/ redis pool_admin / ], [ qw/ binding deny workers lease / ], # records
    [ qw/ dialog grant / ], [ qw/ token renew ticket / ],
    [ 'session' ],                              # one browser
    [ 'retry' ],
    [ qw/ call handover turn / ],
    [ 'screen' ],
    [ qw/ forward uac bearer / ],
    [ qw/ clock / ], [ qw/ subscribe rules replaces / ], # dialogs' time and kinds
    [ qw/ early linger recover restore regevent register_answer fork park / ],
    [ qw/ answer ack trunk / ],
    [ qw/ proxy register / ],
    [ qw/ revoke quit / ],
    [ 'edge' ],
    [ qw/ http portal_module / ],
);

my %floor = map { my $n = $_; map { $_ => $n } @{$floors[$n]} } 0 .. $#floors;

# the longest noun that the name of a file begins with

sub noun {
    my ($name) = @_;

    return 'ims' if $name eq 'ngx_ims.h';
    return 'http' if $name =~ /^ngx_http_ims_/;
    return 'jwt' if $name =~ /^ngx_ims_jw[ks](?:_\w+)?\.c$/;

    my ($noun) = sort { length $b <=> length $a }
        grep { $name =~ /^ngx_ims_\Q$_\E(?:_\w+)?\.[ch]$/ } keys %floor;

    return $noun;
}

@bad = ();

for my $name (grep { /^ngx_/ } sort keys %includes) {
    my $noun = noun($name);

    if (!defined $noun) {
        push @bad, "$name: no floor";
        next;
    }

    for my $h (grep { /^ngx_(?:ims|http_ims)/ } @{$includes{$name}}) {
        my $below = noun($h);

        push @bad, "$name: $h" unless defined $below
            && ($below eq $noun || $floor{$below} < $floor{$noun}
                || $name eq 'ngx_ims_portal_module.c');
    }
}

is(join("\n", @bad), '', 'includes go down');

my (%state, @ring);

sub visit {
    my ($name, @path) = @_;

    return if !$includes{$name} || ($state{$name} || '') eq 'done';

    if (grep { $_ eq $name } @path) {
        push @ring, join ' -> ', @path, $name;
        return;
    }

    visit($_, @path, $name) for @{$includes{$name}};
    $state{$name} = 'done';
}

visit($_) for grep { /\.h$/ } sort keys %includes;
is(join("\n", @ring), '', 'no rings');

# each directive has its entry

my $docs = slurp("$root/docs/directives.md");
my %directive = map { $_ => 1 } map { slurp($_) =~
    /ngx_string\("(ims_portal\w*)"\),\s+NGX_/g } glob "$module/ngx_http_*.c";

cmp_ok(scalar keys %directive, '>', 10, 'directives found');
is(join(' ', grep { $docs !~ /\b$_\b.*\n(?:.*\n){0,8}.*Context/ }
    sort keys %directive), '', 'each directive has its entry');

# tests of nginx run with the genuine Test::Nginx, too: it needs a plan, and has
# other things inside

@bad = ();

for my $name (glob "$root/t/*.t") {
    my $text = slurp($name);

    next unless $text =~ /^use Test::Nginx\b/m;

    push @bad, "$name: no plan" if $text !~ /->plan\(/
        || $text =~ /\bdone_testing\b/;
    push @bad, "$name: looks into Test::Nginx" if $text =~ /\$t->\{/;
}

is(join("\n", @bad), '', 'tests go with the genuine Test::Nginx');

done_testing();
