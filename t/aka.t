#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A core that challenges with AKA: the portal checks who asks, proves itself by
# RES, and asks to synchronize when the number is not fresh (RFC 3310).

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::Digest;
use IMS::JWT;
use IMS::Loop;
use IMS::SIP;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(26);

my $jwt = IMS::JWT->new($t);

# test set 1 of TS 35.208

my $k = pack 'H*', my $k_hex = '465b5ce8b199b49faa5f0a2ee238a6bc';
my $opc = pack 'H*', my $opc_hex = 'cd63cb71954a9f4e48a5994e37a02baf';
my $rand = pack 'H*', '23553cbe9637a89d218ae64dae47bf35';

$t->write_file('secrets', <<"EOF");
u001\@ims.operator.example aka K=$k_hex OPC=$opc_hex SQN=000000001000
* aka K=$k_hex OP=cdc202d5123e20f62b6d676ac72cb318
EOF

chmod 0600, $t->testdir() . '/secrets';

$t->write_file_expand('nginx.conf', ims_conf(
    register => 'digest secrets=%%TESTDIR%%/secrets', workers => 2));
$t->run();

my $core = IMS::Core->new();
my ($sqn, $version, @answers) = (0x1001, 1);

sub proof { return credentials($_[0]->h('Authorization')) }

sub challenge {
    my ($self, $msg, $nonce) = @_;

    $self->reply($msg, 401, 'Unauthorized', headers => [
        'WWW-Authenticate' => 'Digest realm="ims.operator.example", nonce="'
            . ($nonce || aka_nonce($k, $opc, $rand, $sqn))
            . "\", algorithm=AKAv$version-MD5, qop=\"auth\", "
            . 'ck="00112233445566778899aabbccddeeff", '
            . 'ik="00112233445566778899aabbccddeeff"' ]);
}

# each REGISTER is challenged, with a number that rises

$core->{on}{REGISTER} = sub {
    my ($self, $msg) = @_;
    my $p = proof($msg);

    push @answers, $p;

    if ($p->{auts}) {
        my $seen = sqn_of_auts($k, $opc, $rand, $p->{auts});
        $p->{good} = defined $seen && $p->{response} eq
            digest_of($p, 'REGISTER', '');
        $sqn = $seen + 32 if defined $seen;
        return challenge($self, $msg);
    }

    my $fresh = $p->{nonce} eq aka_nonce($k, $opc, $rand, $sqn);
    my $res = milenage($k, $opc, $rand, "\0" x 6, "\0\0")->{res};

    if ($fresh && $p->{response} eq digest_of($p, 'REGISTER', $res)) {
        $sqn += 32;
        return $self->accept($msg);
    }

    challenge($self, $msg);
};

my $mary = IMS::Browser->open(token => $jwt->token('mary'));

my $ok = $mary->register();
is($ok->{code}, 200, 'registered');
unlike($ok->{raw}, qr/nonce|AKA|0011223344/, 'nothing of it for the browser');
is(@answers, 2, 'after one challenge');
is($answers[0]{response}, '', 'nothing to prove at first');
is($answers[1]{algorithm}, 'AKAv1-MD5', 'AKAv1-MD5');
is($answers[1]{auts}, undef, 'fresh');

@answers = ();
is($mary->register(expires => 0)->{code}, 200, 'de-registered');
is($answers[-1]{auts}, undef, 'fresh again');
ok(!$core->{registered}{$mary->{impu}}, 'gone from the core');

# a number that was used is refused, and the network learns the right one

$sqn = 0x1001;
@answers = ();
is($mary->register()->{code}, 200, 'registered after all');
ok((my ($sync) = grep { $_->{auts} } @answers), 'not without AUTS');
ok($sync->{good}, 'which is right');
cmp_ok($sqn, '>', 0x1021, 'it goes on from there');

# workers after a reload know it, too

$mary->close();
$t->reload();
IMS::Loop::pause(0.5);
$sqn = 0x1001;
@answers = ();
$mary = IMS::Browser->open(token => $jwt->token('mary'));
is($mary->register()->{code}, 200, 'registered after a reload');
ok((grep { $_->{auts} } @answers), 'a used number is still used');

# K is the user's, but not of who asks

my $stranger = $opc ^ ("\1" . "\0" x 15);
@answers = ();
$core->{on}{REGISTER} = sub {
    my ($self, $msg) = @_;
    push @answers, proof($msg);
    challenge($self, $msg, aka_nonce($k, $stranger, $rand, 0x900000));
};

my $john = IMS::Browser->open(token => $jwt->token('john'));
is($john->register()->{code}, 403, 'another MAC');
is(@answers, 1, 'no answer to that');

# what is no AKA at all

$core->{on}{REGISTER} = sub {
    my ($self, $msg) = @_;
    $self->reply($msg, 401, 'Unauthorized', headers => [ 'WWW-Authenticate' =>
        'Digest realm="ims.operator.example", nonce="n", algorithm=MD5' ]);
};
is($john->register()->{code}, 403, 'a password is asked for');

# AKAv2; the line for all others has OP

$version = 2;
($sqn, @answers) = (0x777);
$core->{on}{REGISTER} = sub {
    my ($self, $msg) = @_;
    my $p = proof($msg);
    return challenge($self, $msg) if $p->{response} eq '';
    my $f = milenage($k, $opc, $rand, "\0" x 6, "\0\0");
    my $key = $f->{res} . $f->{ik} . $f->{ck};
    my $hmac = sub {
        my ($pad) = (chr($_[0]) x 64 ^ $key . "\0" x (64 - length $key));
        return Digest::MD5::md5($pad . $_[1]);
    };
    my $password = MIME::Base64::encode_base64($hmac->(0x5c,
        $hmac->(0x36, 'http-digest-akav2-password')), '');
    push @answers, $p;
    return $p->{response} eq digest_of($p, 'REGISTER', $password)
        ? $self->accept($msg) : $self->reply($msg, 403, 'No');
};
is($john->register()->{code}, 200, 'AKAv2-MD5, by OP');
is($answers[0]{algorithm}, 'AKAv2-MD5', 'named');

# the number of the line for all is kept over a reload, too

$john->close();
$t->reload();
IMS::Loop::pause(0.5);
@answers = ();
$core->{on}{REGISTER} = sub {
    my ($self, $msg) = @_;
    my $p = proof($msg);
    push @answers, $p;
    return challenge($self, $msg) if $p->{response} eq '' && !$p->{auts};
    $self->reply($msg, 403, 'No');
};
$john = IMS::Browser->open(token => $jwt->token('john'));
is($john->register()->{code}, 403, 'refused after a reload');
ok((grep { $_->{auts} } @answers), 'a used number of all is still used');

$_->close() for $mary, $john;
$t->stop();

my $log = $t->read_file('error.log');

like($log, qr/sequence number of "u001\@ims\S+" is synchronized/, 'told');
like($log, qr/challenge .* does not suit the secret of "u002/, 'refused');
unlike($log, qr/$k_hex|$opc_hex/i, 'no key in the log');
unlike($log, qr/a54211d5/i, 'nor RES');
