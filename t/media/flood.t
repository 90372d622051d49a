#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Floods of what is no good, see flood.c: the helper lives, its memory stays
# flat, the other call has no gap, and the log has some lines, not a million.
# FLOOD sets how many of each kind ("make flood": 1000000).

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use POSIX ();
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use IMS::MediaServer;

my $top = abs_path(dirname(__FILE__) . '/../..');
my $n = $ENV{FLOOD} || 5000;

system("make -s -C $top/t/media >&2") == 0 or BAIL_OUT('no client');

my $sanitized = (IMS::MediaServer::helper() =~ /sanitize/);
my $h = IMS::MediaServer->helper_new(
    options => [qw/ -C 0 -D 0 -m 40 -o 2 /, split ' ',
        $ENV{MEDIA_OPTIONS} || '']);
my $results = 0;

run(200);                               # what stays is there now

my $before = memory();

$results = run($n);
cmp_ok($results, '>=', 27, 'all of it ran');

# calls that the flood made are gone after their time

my $end = time() + 60;
my $s;

do {
    select undef, undef, undef, 0.2;
    $s = $h->ng('statistics')->{statistics};
} while ($s->{calls} && time() < $end);

is($s->{calls}, 0, 'no call is left');
is($s->{'port pairs used'}, 0, 'nor a port');
cmp_ok($s->{'stun refused'}, '>=', $n, 'malformed STUN is counted');
cmp_ok($s->{foreign}, '>=', $n, 'and DTLS of strangers');

my $after = memory();

cmp_ok($after - $before, '<', 4096, "memory is flat, within 4 MiB: from "
    . "$before to $after KiB") unless $sanitized;

ok($h->alive(), 'the helper is alive');
is($h->stop(), 0, 'ends well');
unlike($h->text(), qr/Sanitizer|runtime error/, 'no complaint');

my @lines = split /\n/, $h->text();

cmp_ok(scalar @lines, '<', 1000, scalar(@lines) . ' lines in the log');

done_testing();

sub run {
    my ($n) = @_;
    my $results = 0;
    my $cpu = cpu();

    open my $out, '-|', IMS::MediaServer->program('flood'), '-n', $n, '-c',
        $h->{control} or BAIL_OUT("fork: $!");

    while (<$out>) {
        /^(not )?ok \d+ - (.*)/ or next;
        ok(!$1, "$n: $2");
        note(sprintf '%.2f s of CPU', cpu() - $cpu);
        $results++;
        $cpu = cpu();
    }

    close $out;

    return $results;
}

# seconds that the helper has had

sub cpu {
    open my $f, '<', "/proc/$h->{pid}/stat" or return 0;
    my @fields = split ' ', (<$f> =~ /\) (.*)/)[0];

    return ($fields[11] + $fields[12]) / POSIX::sysconf(POSIX::_SC_CLK_TCK());
}

sub memory { my ($kib) = $h->status('VmRSS') =~ /(\d+)/; return $kib }
