#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The helper without memory while a browser connects, see oom.c: OpenSSL and
# libre get none, once per call.

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use File::Temp qw/ tempdir /;
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use IMS::MediaServer;

my $top = abs_path(dirname(__FILE__) . '/../..');

system("make -s -C $top/t/media >&2") == 0 or BAIL_OUT('no client');

my $dir = tempdir('connect-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $file = "$dir/page";

open my $page, '>', $file or die "$file: $!";
print $page pack 'q4', 0, 0, 0, 0;
close $page;

# a sanitizer has an allocator of its own: nothing fails there

my $sanitized = (IMS::MediaServer::helper() =~ /sanitize/);

my $h = IMS::MediaServer->helper_new(options => [qw/ -C 0 -D 0 /],
    env => $sanitized ? {} : { OOM_FILE => $file,
        LD_PRELOAD => "$top/t/media/build/oom_shim.so" });

open my $out, '-|', IMS::MediaServer->program('oom'), '-c', $h->{control},
    '-f', $file, '-n', 40 or BAIL_OUT("fork: $!");

my $results = 0;
my $left;

while (<$out>) {
    $left = $1 if /^# (-?\d+) are left/;
    /^(not )?ok \d+ - (.*)/ or next;
    ok(!$1, $2);
    $results++;
}

close $out;

is($results, 4, 'all of it ran');

# The name of a call that dtls has ended stays, for who asks, and OpenSSL keeps
# the texts of its last 16 errors; nothing else does.

my $ended = $h->ng('ping', 'ended since' => 0)->{'ended seq'};

cmp_ok($left, '<=', $ended + 16, "nothing is lost: $left are left, "
    . "$ended names and OpenSSL's errors");

my $s = $h->ng('statistics')->{statistics};

is($s->{calls}, 0, 'no call is left');
is($s->{'port pairs used'}, 0, 'nor a port');
ok($h->alive(), 'the helper is alive');
is($h->stop(), 0, 'ends well');
unlike($h->text(), qr/Sanitizer|runtime error/, 'and says nothing');

done_testing();
