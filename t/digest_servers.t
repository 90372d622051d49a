#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A challenge of one server, answered to another: the next one asks anew. A core
# that trusts the portal and still asks.

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
use Test::Nginx qw/ port /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(10);

my $jwt = IMS::JWT->new($t);

$t->write_file('secrets', "* password zanzibar\n");
chmod 0600, $t->testdir() . '/secrets';

$t->write_file_expand('nginx.conf', ims_conf(
    register => 'digest secrets=%%TESTDIR%%/secrets',
    core => 'server 127.0.0.1:%%PORT_8982_UDP%% backup;'));

# before nginx, whose first probes they would miss

my $one = IMS::Core->new();
my $two = IMS::Core->new(port => port(8982, udp => 1));

$t->run();

sub guard {
    my ($name, $good) = @_;

    return sub {
        my ($self, $msg) = @_;
        my $p = credentials($msg->h('Authorization'));

        return $good->($self, $msg) if $p->{nonce} eq $name
            && $p->{response} eq digest_of($p, 'REGISTER', 'zanzibar');

        $self->reply($msg, 401, 'Unauthorized', headers => [
            'WWW-Authenticate' => 'Digest realm="ims.operator.example", '
                . "nonce=\"$name\", qop=\"auth\"" ]);
    };
}

$one->{on}{REGISTER} = guard('one', sub { $_[0]->reply($_[1], 503, 'No') });
$two->{on}{REGISTER} = guard('two', sub { $_[0]->accept($_[1]) });

my $mary = IMS::Browser->open(token => $jwt->token('mary'));

is($mary->register()->{code}, 200, 'registered');
is(scalar $one->seen('REGISTER'), 2, 'the first asked, then failed');
is(scalar $two->seen('REGISTER'), 2, 'the second asked, too');

my @nonces = map { credentials($_->h('Authorization'))->{nonce} }
    $one->seen('REGISTER'), $two->seen('REGISTER');

is("@nonces[0, 1, 2, 3]", ' one one two', 'each by its own nonce');

$mary->close();

# trusted, with secrets for who asks all the same

$two->down();
$t->write_file_expand('nginx.conf', ims_conf(
    register => 'trusted flag=yes secrets=%%TESTDIR%%/secrets'));
$t->reload();
IMS::Loop::pause(0.5);

my $before = $one->seen('REGISTER');
$one->{on}{REGISTER} = guard('three', sub { $_[0]->accept($_[1]) });

my $john = IMS::Browser->open(token => $jwt->token('john'));
is($john->register()->{code}, 200, 'registered as by a trusted node');

my ($vouched, $proved) = ($one->seen('REGISTER'))[$before, $before + 1];

like($vouched->h('Authorization'), qr/integrity-protected="yes"/, 'vouched');
unlike($proved->h('Authorization'), qr/integrity-protected/, 'then proved');
is($proved->cseq(), $vouched->cseq() + 1, 'at once');

$john->close();
$t->stop();

unlike($t->read_file('error.log'), qr/refuses the secret/, 'no wrong secret');
is(scalar(@nonces), 4, 'four in all');
