#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Challenges that cannot be answered, and secrets that are wrong: what the
# browser hears, what the log says, and what it does not.

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

my $t = Test::Nginx->new()->has(qw/ http /)->plan(50);

my $jwt = IMS::JWT->new($t);
my $ha1 = '3bd6ff85e7d16cc0bc439ff96d824115b5631752701deb8b68b9715cbeb0ce58';

$t->write_file('secrets', <<"EOF");
u001\@ims.operator.example\tha1 $ha1
u002\@ims.operator.example password wrong-one
EOF

sub mode { chmod $_[0], $t->testdir() . '/' . ($_[1] || 'secrets') }

mode(0600);

$t->write_file_expand('nginx.conf', ims_conf(
    register => 'digest secrets=%%TESTDIR%%/secrets'));
$t->run();

my $core = IMS::Core->new();

my $algorithm = 'SHA-256';
my $realm = 'ims.operator.example';

sub challenge {
    my ($self, $msg) = @_;

    $self->reply($msg, 401, 'Unauthorized', headers => [
        'WWW-Authenticate' => "Digest realm=\"$realm\", nonce=\"n\", "
            . "algorithm=$algorithm, qop=\"auth\"" ]);
}

sub requests { return $core->seen('REGISTER') }

# the first identity has a HA1 only, which is one of SHA-256

my $mary = IMS::Browser->open(token => $jwt->token('mary'));

$core->{on}{REGISTER} = sub {
    my ($self, $msg) = @_;
    my $p = credentials($msg->h('Authorization'));

    return challenge($self, $msg) if $p->{response} eq '';

    my $ha2 = Digest::SHA::sha256_hex("REGISTER:$p->{uri}");
    my $good = Digest::SHA::sha256_hex(join ':', $ha1, 'n', $p->{nc},
        $p->{cnonce}, 'auth', $ha2);

    return $p->{response} eq $good ? $self->accept($msg)
        : challenge($self, $msg);
};

is($mary->register()->{code}, 200, 'by HA1');
is($mary->register(expires => 0)->{code}, 200, 'and back');
$mary->drop();

$core->{on}{REGISTER} = \&challenge;

$mary = IMS::Browser->open(token => $jwt->token('mary'));
$algorithm = 'MD5';
is($mary->register()->{code}, 403, 'not where it does not fit');
$algorithm = 'SHA-256';
$realm = 'elsewhere.example';
is($mary->register()->{code}, 403, 'nor for another realm');
is(scalar(grep { $_->h('Authorization') =~ /elsewhere/ } requests()), 0,
    'which gets no answer');
$realm = 'ims.operator.example';

# a wrong secret, told by another 401 or by 403

my $carol = IMS::Browser->open(token => $jwt->token('carol'));
my $before = requests();
my $r = $carol->register();
is($r->{code}, 403, 'wrong secret');
is(scalar(requests()), $before + 2, 'tried once');
like($r->h('Warning'), qr/^399 /, 'with a warning');
unlike($r->{raw}, qr/nonce|Digest/i, 'but no word of the challenge');

$core->{on}{REGISTER} = sub {
    my ($self, $msg) = @_;
    return $self->reply($msg, 403, 'Authentication Failed')
        if credentials($msg->h('Authorization'))->{response} ne '';
    challenge($self, $msg);
};
is($carol->register()->{code}, 403, 'by 403');

# no secret at all

my $dave = IMS::Browser->open(token => $jwt->token('dave'));
is($dave->register()->{code}, 403, 'no secret');

$core->registrar();
is($dave->register()->{code}, 200, 'which is no matter without a challenge');

# a core that never has enough

$core->{on}{REGISTER} = sub {
    my ($self, $msg) = @_;
    $self->reply($msg, 401, 'Unauthorized', headers => [
        'WWW-Authenticate' => "Digest realm=\"$realm\", nonce=\"n"
            . scalar(requests()) . '", algorithm=SHA-256, stale=true' ]);
};
$before = requests();
is($mary->register()->{code}, 403, 'stale for ever');
cmp_ok(scalar(requests()), '<', $before + 8, 'given up');

# a wrong secret at a refresh: the page is told

$core->registrar(expires => 2);
$mary->register();
$core->{on}{REGISTER} = sub { $_[0]->reply($_[1], 403, 'No') };
is($mary->closed(6), 4403, 'closed when a refresh is refused');

# secrets are read again on a reload

$t->write_file('secrets', "* password wrong-too\n");
mode(0600);
$t->reload();
$core->{on}{REGISTER} = sub {
    my ($self, $msg) = @_;
    my $p = credentials($msg->h('Authorization'));
    return $self->accept($msg) if $p->{response}
        && $p->{response} eq digest_of($p, 'REGISTER', 'wrong-too');
    challenge($self, $msg);
};
IMS::Loop::pause(0.5);
my $erin = IMS::Browser->open(token => $jwt->token('erin'));
is($erin->register()->{code}, 200, 'one for all, after a reload');

$_->close() for $carol, $dave, $erin;
$t->stop();

my $log = $t->read_file('error.log');

like($log, qr/core "operator" refuses the secret of "u002\@ims/, 'named');
like($log, qr/no secret of "u003\@ims\S+" for core "operator"/, 'missing');
like($log, qr/does not suit the secret of "u001\@ims/, 'does not suit');
unlike($log, qr/wrong-one|wrong-too|$ha1/, 'no secret in the log');

# what nginx -t refuses

sub refused {
    my ($line, $expected, $name) = @_;

    $t->write_file_expand('bad.conf', ims_conf(register => $line));
    my $said = ims_check($t, 'bad.conf');
    like($said, $expected, $name);
    unlike($said, qr/topsecret/, 'without the text') if $line =~ /bad/;
}

sub bad {
    my ($text, $expected, $name) = @_;

    $t->write_file('bad', $text);
    mode(0600, 'bad');
    refused('digest secrets=%%TESTDIR%%/bad', $expected, $name);
}

refused('digest', qr/"register" directive needs "secrets"/, 'no file');
refused('digest secrets=%%TESTDIR%%/none', qr/none" failed/, 'missing file');
refused('digest secrets=%%TESTDIR%%', qr/not a file/, 'a folder');
refused('digest x=y', qr/invalid parameter "x=y" in "register"/, 'parameter');
refused('trust', qr/invalid mode "trust" in "register"/, 'mode');
mode(0644);
refused('digest secrets=%%TESTDIR%%/secrets',
    qr/may be read or written by others/, 'open to others');

bad("\n\nu1 topsecret\n", qr/neither "password" nor .* in line 3 of/, 'kind');
bad("u1 password \"topsecret\n", qr/no closing quote in line 1/, 'quote');
bad("u1 password topsecret x\n", qr/something behind the password/, 'more');
bad("u1 password\n", qr/no password in line 1/, 'nothing');
bad("u1 ha1 topsecret\n", qr/HA1 is neither 32 nor 64/, 'HA1');
bad('u1 ha1 ' . 'z' x 32 . "\n", qr/HA1 is not hex digits/, 'HA1 digits');
bad('u1 aka K=' . '0' x 31 . "x\n", qr/neither K, OPC, OP/, 'K');
bad('u1 aka K=' . '0' x 32 . "\n", qr/needs K and either OPC or OP/, 'OPc');
bad("a\"b password topsecret\n", qr/invalid identity/, 'IMPI');
bad("* password a\n* password b\n", qr/second "\*" in line 2/, 'two of all');
bad("u1 password x\nu1 password y\n", qr/"u1" is twice/, 'twice');

# many lines

$t->write_file('secrets', join '', map { "u$_\@ims.operator.example password "
    . "p$_\n" } reverse 1 .. 100000);
mode(0600);
$t->write_file_expand('many.conf', ims_conf(
    register => 'digest secrets=%%TESTDIR%%/secrets'));

my $start = time();
like(ims_check($t, 'many.conf'), qr/test is successful/, '100000 lines');
cmp_ok(time() - $start, '<=', 2 * $IMS::Loop::SLOW, 'quickly');

# a sub holds it: the two tests of its own come now, not too late

undef $t;
