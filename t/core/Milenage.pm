package Milenage;

# Copyright (C) the IMS portal authors

# Authentication vectors (TS 35.206, TS 33.102 6.3): what the HSS makes and what
# a card in a test answers.  Strings of bytes everywhere.

use warnings;
use strict;

use Crypt::Cipher::AES;

sub rotate {
    my ($block, $bytes) = @_;
    return substr($block, $bytes) . substr($block, 0, $bytes);
}

# all functions of one RAND; SQN of 6 bytes and AMF of 2
sub keys_of {
    my ($k, $opc, $rand, $sqn, $amf) = @_;
    my $aes = Crypt::Cipher::AES->new($k);
    my $temp = $aes->encrypt($rand ^ $opc);
    my %out;

    my $one = $aes->encrypt($temp ^ rotate(($sqn . $amf) x 2 ^ $opc, 8))
        ^ $opc;
    @out{'mac_a', 'mac_s'} = unpack 'a8 a8', $one;

    my $f = sub {
        my ($bytes, $c) = @_;
        my $in = rotate($temp ^ $opc, $bytes) ^ ("\0" x 15 . chr $c);
        return $aes->encrypt($in) ^ $opc;
    };

    @out{'ak', 'res'} = unpack 'a6 x2 a8', $f->(0, 1);
    $out{ck} = $f->(4, 2);
    $out{ik} = $f->(8, 4);
    $out{ak_star} = substr $f->(12, 8), 0, 6;

    return %out;
}

# RAND and AUTN, and the keys
sub challenge {
    my ($k, $opc, $rand, $sqn, $amf) = @_;
    my %key = keys_of($k, $opc, $rand, $sqn, $amf);

    return (%key, autn => ($sqn ^ $key{ak}) . $amf . $key{mac_a});
}

# the SQN of a card that says by AUTS that it is ahead, or undef
sub resync {
    my ($k, $opc, $rand, $auts) = @_;
    my ($hidden, $mac) = unpack 'a6 a8', $auts;
    my %key = keys_of($k, $opc, $rand, "\0" x 6, "\0\0");
    my $sqn = $hidden ^ $key{ak_star};

    %key = keys_of($k, $opc, $rand, $sqn, "\0\0");
    return $key{mac_s} eq $mac ? $sqn : undef;
}

# the card's side of that
sub auts {
    my ($k, $opc, $rand, $sqn) = @_;
    my %key = keys_of($k, $opc, $rand, $sqn, "\0\0");

    return ($sqn ^ $key{ak_star}) . $key{mac_s};
}

1;
