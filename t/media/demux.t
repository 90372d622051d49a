#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# What a datagram on the browsers' port is taken for: by its first octet, all
# 256 of them, from somebody who has not passed ICE (ME-2; RFC 7983 7).

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use IO::Socket::INET;
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use IMS::Helper;

my $top = abs_path(dirname(__FILE__) . '/../..');
my $helper = $ENV{MEDIA_HELPER} || "$top/media-helper/media-helper";

plan(skip_all => "$helper is not built") unless -x $helper;

my $port = IMS::Helper::free_port();
my $server = IMS::Helper->new($helper, '-w', "127.0.0.1:$port");
my $stranger = IO::Socket::INET->new(Proto => 'udp',
    PeerAddr => '127.0.0.1', PeerPort => $port) or die "socket: $!";
my $before = figures();

for (
    [ 'STUN', 0, 3, 'stun' ],
    [ 'nothing', 4, 19, 'unknown' ],
    [ 'DTLS', 20, 63, 'foreign' ],
    [ 'nothing', 64, 127, 'unknown' ],
    [ 'RTP and RTCP', 128, 191, 'foreign' ],
    [ 'nothing', 192, 255, 'unknown' ],
) {
    my ($name, $from, $to, $figure) = @$_;
    my %want = %$before;

    $want{$_} += $to - $from + 1 for $figure, 'datagrams received',
        $figure eq 'stun' ? 'stun refused' : ();
    $stranger->send(chr($_) . 'x' x 39) for $from .. $to;

    my $now = figures();
    my $end = time() + 30;

    while ($now->{'datagrams received'} < $want{'datagrams received'}
        && time() < $end)
    {
        select undef, undef, undef, 0.05;
        $now = figures();
    }

    is_deeply($now, \%want, "$from to $to: $name");
    $before = $now;
}

$stranger->blocking(0);
ok(!defined $stranger->recv(my $reply, 2048), 'none of them got a reply');

my ($status, $log) = $server->stop();
is($status, 0, 'a clean end');
unlike($log, qr/Sanitizer|runtime error/, 'no sanitizer errors');

done_testing();

###############################################################################

sub figures {
    my $s = $server->ng('statistics')->{statistics};
    return { map { $_ => $s->{$_} } 'datagrams received', 'stun',
        'stun refused', 'foreign', 'unknown', 'dtls', 'srtp',
        'web datagrams sent' };
}

###############################################################################
