package IMS::Meaning;

# Copyright (C) the IMS portal authors

# What a session description means, apart from how it is written: two servers
# that do the same with a call give the same meaning, with other ports, names,
# orders and spellings.

use warnings;
use strict;

use base qw/ Exporter /;

our @EXPORT_OK = qw/ meaning /;

my %static = (0 => 'pcmu/8000', 8 => 'pcma/8000', 9 => 'g722/8000',
    13 => 'cn/8000');

# $ours: codecs (lower case, "name/clock") that count; others are left out

sub meaning {
    my ($sdp, %o) = @_;
    my ($head, @parts) = split /^(?=m=)/m, $sdp;
    my %all = attributes($head);
    my (@media, %mids, $pair);

    for my $part (@parts) {
        my $m = media($part, \%all, $head, $o{codecs});
        push @media, $m;
    }

    if (my ($group) = map { @$_ } $all{group} || ()) {
        my (undef, @mids) = split / /, $group;
        $mids{$_} = 1 for @mids;
    }

    for my $m (@media) {
        my $mid = delete $m->{mid_name};

        next if $m->{refused};

        $m->{bundled} = defined $mid && $mids{$mid} ? 1 : 0;

        next unless $m->{bundled};

        # what of a bundle's transport is not said is as in the first m-line,
        # RFC 9143 7.3

        $pair ||= $m;
        $m->{$_} ||= $pair->{$_} for qw/ ice candidates dtls setup /;
    }

    return { media => \@media };
}

sub attributes {
    my ($text) = @_;
    my %a;

    push @{$a{lc $1}}, defined $2 ? $2 : ''
        while $text =~ /^a=([^:\r\n]+)(?::([^\r\n]*))?/mg;

    return %a;
}

sub media {
    my ($part, $all, $head, $only) = @_;
    my ($kind, $port, $proto, $formats)
        = $part =~ /^m=(\S+) (\d+) (\S+) ([^\r\n]*)/;
    my %a = (%$all, attributes($part));
    my ($direction) = grep { $a{$_} }
        qw/ sendrecv sendonly recvonly inactive /;

    # a refused line says nothing but that

    return { kind => $kind, refused => 1 } if $port == 0
        && !$a{'bundle-only'};

    # what the m-line itself says is stronger than the session

    my %own = attributes($part);
    ($direction) = grep { $own{$_} } qw/ sendrecv sendonly recvonly inactive /
        if grep { $own{$_} } qw/ sendrecv sendonly recvonly inactive /;

    my ($address) = $part =~ /^c=IN (IP\d)/m;
    ($address) = $head =~ /^c=IN (IP\d)/m unless defined $address;

    return {
        kind => $kind,
        proto => $proto,
        direction => $direction || 'sendrecv',
        family => $address,
        codecs => codecs($formats, \%a, $only),
        ice => $a{'ice-ufrag'} && $a{'ice-pwd'} ? 1 : 0,
        candidates => $a{candidate} ? 1 : 0,
        dtls => join(' ', map { /^(\S+)/ ? lc $1 : () }
            @{$a{fingerprint} || []}),
        setup => join(' ', @{$a{setup} || []}),
        crypto => $a{crypto} ? 1 : 0,
        mux => exists $a{'rtcp-mux'} ? 1 : 0,
        mid => exists $a{mid} ? 1 : 0,
        mid_name => $a{mid} ? $a{mid}[0] : undef,
        ptime => join(' ', @{$a{ptime} || []}),
    };
}

# "111 opus/48000" in order; the parameters of those that have any

sub codecs {
    my ($formats, $a, $only) = @_;
    my %map = (%static, map { m!^(\d+) ([^/]+/\d+)! ? ($1 => lc $2) : () }
        @{$a->{rtpmap} || []});

    return [ map { "$_ $map{$_}" }
        grep { defined $map{$_} && (!$only || $only->{$map{$_}}) }
        split / /, $formats ];
}

1;
