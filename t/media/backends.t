#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# sdes.t and media.t with a helper that has both SRTP backends: each of them
# against the clients' libsrtp2, with the keys of DTLS and of SDES, in both
# profiles.

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use File::Temp qw/ tempdir /;
use Test::More;

my $media = abs_path(dirname(__FILE__));
my $dir = tempdir('media-XXXXXX', TMPDIR => 1, CLEANUP => 1);

# a build of its own, which leaves that of the tree alone

my $made = system('make', '-s', '-C', "$media/../../media-helper",
    'SRTP=libsrtp2', "BUILD=$dir", "BIN=$dir/helper");

ok($made == 0, 'a helper with both builds') or BAIL_OUT('no helper');

chmod 0755, $dir;
like(`$dir/helper -V`, qr/libsrtp2/, 'it names both');

$ENV{MEDIA_HELPER} = "$dir/helper";

for my $run (qw/ libsrtp2:sdes.t evp:sdes.t libsrtp2:media.t /) {
    my ($backend, $name) = split /:/, $run;
    my ($good, $bad) = (0, 0);

    $ENV{MEDIA_OPTIONS} = "-b $backend";

    open my $out, '-|', $^X, "$media/$name" or BAIL_OUT("fork: $!");

    while (my $line = <$out>) {
        $line =~ /^(not )?ok \d+/ or next;
        $1 ? $bad++ : $good++;
        diag("$backend, $name: $line") if $1;
    }

    ok(close $out, "$backend, $name: all passed");
    is($bad, 0, "$backend, $name: none failed");
    cmp_ok($good, '>', 40, "$backend, $name: all of it ran");
}

done_testing();
