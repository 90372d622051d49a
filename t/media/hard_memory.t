#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The helper without memory: each allocation of an offer and of its answer
# fails once; the other commands take none.  The command gets an error, or no harm
# was done; the other call stays as it is; nothing is left behind.

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use File::Temp qw/ tempdir /;
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use IMS::MediaServer;
use IMS::SDP qw/ web_sdp ims_sdp /;

my $top = abs_path(dirname(__FILE__) . '/../..');

system("make -s -C $top/t/media >&2") == 0 or BAIL_OUT('no shim');

my $dir = tempdir('memory-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $file = "$dir/page";

open my $page, '+>', $file or die "$file: $!";
binmode $page;
syswrite $page, pack('q4', 0, 0, 0, 0);

# a sanitizer has an allocator of its own, and tells of leaks itself

my $sanitized = (IMS::MediaServer::helper() =~ /sanitize/);

my $h = IMS::MediaServer->helper_new(options => [qw/ -C 0 -D 0 /],
    env => $sanitized ? {} : { OOM_FILE => $file,
        LD_PRELOAD => "$top/t/media/build/oom_shim.so" });

my $ims = ims_sdp();
$ims =~ s/192\.0\.2\.9/127.0.0.1/g;

my %keys = ('call-id' => 'x', 'from-tag' => 'A');
my @to_ims = ('transport-protocol' => 'RTP/AVP', ICE => 'remove',
    direction => [qw/ web ims /], sdp => web_sdp());
my @to_web = ('transport-protocol' => 'UDP/TLS/RTP/SAVPF', ICE => 'force',
    direction => [qw/ ims web /], sdp => $ims, 'to-tag' => 'B');

my %commands = (
    offer => { %keys, @to_ims },
    answer => { %keys, @to_web },
    query => { 'call-id' => 'x' },
    statistics => {},
    delete => { 'call-id' => 'x' },
);

# the other call

for my $command (qw/ offer answer /) {
    my $r = $h->ng($command, %{$commands{$command}}, 'call-id' => 'other');
    is($r->{result}, 'ok', "$command of another call");
}

my $other = other();

# what a whole call takes, once all that stays is there

once($_) for 1 .. 3;

my $live = (page())[2];

once($_) for 1 .. 3;

is((page())[2], $live, 'calls without a failure leave nothing behind');

my @order = qw/ offer answer query statistics delete /;
my %taken;

for my $command (@order) {
    my $before = (page())[1];
    command($command);
    $taken{$command} = (page())[1] - $before;
}

is($taken{$_}, 0, "$_ takes no memory") for $sanitized ? ()
    : qw/ query statistics delete /;

for my $at (0, 1) {
    my ($bad, $good, $odd, $n) = (0, 0, 0, 0);

    for $n (1 .. ($sanitized ? 1 : $taken{$order[$at]})) {
        command($order[$_]) for 0 .. $at - 1;

        arm($n);
        my $r = command($order[$at]);
        arm(0);

        if (!$r) {
            # a reply that could not be written ends its connection
            $h->reconnect();
            $bad++;

        } elsif (($r->{result} // '') eq 'ok') {
            $good++;

        } else {
            $bad++;
        }

        command('delete');

        my $s = $h->ng('statistics')->{statistics};
        $odd++ if $s->{calls} != 1 || $s->{'port pairs used'} != 1;
    }

    cmp_ok($bad + $good, '>', 0, "$order[$at]: $bad failed, $good did not");
    is($odd, 0, "$order[$at]: no call and no port is left behind");
}

cmp_ok((page())[3], '>=', 8, 'allocations have failed') unless $sanitized;

once($_) for 1 .. 3;
cmp_ok((page())[2] - $live, '<=', 0, 'and nothing leaked');

is(other(), $other, 'the other call is as it was');
ok($h->alive(), 'the helper is alive');
is($h->stop(), 0, 'ends well');
unlike($h->text(), qr/Sanitizer|runtime error/, 'and says nothing');

done_testing();

sub command { return $h->ng($_[0], %{$commands{$_[0]}}) }

sub once { command($_) for qw/ offer answer query statistics delete / }

sub other {
    my $tags = $h->ng('query', 'call-id' => 'other')->{tags};

    return join ' ', map { $_->{'local port'} } map { @{$_->{streams}} }
        map { @{$_->{medias}} } map { $tags->{$_} } sort keys %$tags;
}

sub page {
    sysseek $page, 0, 0;
    sysread $page, my $bytes, 32;

    return unpack 'q4', $bytes;
}

sub arm {
    sysseek $page, 0, 0;
    syswrite $page, pack 'q', $_[0];
}
