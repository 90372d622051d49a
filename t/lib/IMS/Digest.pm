package IMS::Digest;

# Copyright (C) the IMS portal authors

# The server's side of Digest authentication: challenges, and what the answer
# to one has to be (RFC 7616; RFC 3310 with Milenage, TS 35.206).

use warnings;
use strict;

use base qw/ Exporter /;

use Crypt::Cipher::AES ();
use Digest::MD5 ();
use Digest::SHA ();
use MIME::Base64 ();

our @EXPORT = qw/ credentials digest_of milenage autn_of sqn_of_auts
    aka_nonce /;

# the parameters of an Authorization or Proxy-Authorization value, unquoted

sub credentials {
    my ($value) = @_;

    my %p;

    return \%p unless defined $value && $value =~ s/^Digest\s+//i;

    while ($value =~ /\G\s*([\w-]+)\s*=\s*(?:"([^"]*)"|([^",\s]*))\s*,?/g) {
        $p{lc $1} = defined $2 ? $2 : $3;
    }

    return \%p;
}

# the response that credentials should have

sub digest_of {
    my ($p, $method, $password) = @_;

    my $algorithm = $p->{algorithm} || 'MD5';
    my $h = $algorithm =~ /SHA-512-256/ ? \&Digest::SHA::sha512256_hex
        : $algorithm =~ /SHA-256/ ? \&Digest::SHA::sha256_hex
        : \&Digest::MD5::md5_hex;

    my $ha1 = $h->("$p->{username}:$p->{realm}:$password");
    my $ha2 = $h->("$method:$p->{uri}");

    return $h->(join ':', $ha1, $p->{nonce}, defined $p->{qop}
        ? ($p->{nc}, $p->{cnonce}, $p->{qop}) : (), $ha2);
}

# f1..f5* of 16-byte strings; sqn has 6 bytes, amf 2

sub milenage {
    my ($k, $opc, $rand, $sqn, $amf) = @_;

    my $aes = Crypt::Cipher::AES->new($k);
    my $temp = $aes->encrypt($rand ^ $opc);

    my $out = sub {
        my ($rot, $c) = @_;
        my $x = $temp ^ $opc;
        $x = substr($x, $rot) . substr($x, 0, $rot);
        return $aes->encrypt($x ^ (("\0" x 15) . chr $c)) ^ $opc;
    };

    my $in = ($sqn . $amf) x 2 ^ $opc;
    my $f1 = $aes->encrypt($temp ^ (substr($in, 8) . substr($in, 0, 8)))
        ^ $opc;
    my $f2 = $out->(0, 1);

    return {
        mac_a => substr($f1, 0, 8), mac_s => substr($f1, 8),
        ak => substr($f2, 0, 6), res => substr($f2, 8),
        ck => $out->(4, 2), ik => $out->(8, 4),
        ak_star => substr($out->(12, 8), 0, 6),
    };
}

sub sqn_bytes { return substr pack('Q>', $_[0]), 2 }

sub autn_of {
    my ($k, $opc, $rand, $sqn) = @_;

    my $f = milenage($k, $opc, $rand, sqn_bytes($sqn), "\x80\0");

    return (sqn_bytes($sqn) ^ $f->{ak}) . "\x80\0" . $f->{mac_a};
}

sub aka_nonce {
    my ($k, $opc, $rand, $sqn) = @_;

    return MIME::Base64::encode_base64($rand
        . autn_of($k, $opc, $rand, $sqn), '');
}

# what the network reads from AUTS; undef: its MAC is wrong

sub sqn_of_auts {
    my ($k, $opc, $rand, $auts) = @_;

    my $bytes = MIME::Base64::decode_base64($auts);
    my $star = milenage($k, $opc, $rand, "\0" x 6, "\0\0")->{ak_star};
    my $sqn = substr($bytes, 0, 6) ^ $star;
    my $f = milenage($k, $opc, $rand, $sqn, "\0\0");

    return undef if $f->{mac_s} ne substr $bytes, 6;

    return unpack 'Q>', "\0\0$sqn";
}

1;
