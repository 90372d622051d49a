#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# What the core refuses, and how it reaches the browser.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::SIP;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(17);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf());
$t->run();

my $core = IMS::Core->new();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));

# answers REGISTER with these codes in turn, then with 200

sub answers {
    my (@codes) = @_;

    $core->{on}{REGISTER} = sub {
        my ($self, $msg) = @_;
        my $code = shift @codes;

        return $self->accept($msg) unless $code;
        $self->reply($msg, $code, 'No', headers => [
            'P-Charging-Vector' => 'icid-value=secret',
            'P-Registrar-Error' => 'secret' ]);
    };
}

sub registers { return scalar $core->seen('REGISTER') }

answers(403, 403, 403);
my $r = $mary->register();

is($r->{code}, 403, '403 passed on');
is(registers(), 1, 'asked once');
unlike($r->{raw}, qr/secret/, 'nothing of the core');

answers(404);
like($mary->register()->{code}, qr/^40[34]$/, 'unknown identity');

# a race in the S-CSCF: a 500 is tried again once (core-demands)

my $before = registers();

answers(500);
is($mary->register()->{code}, 200, '500 tried again');
is(registers(), $before + 2, 'asked twice');

my ($one, $two) = ($core->seen('REGISTER'))[-2, -1];

is($two->h('Call-ID'), $one->h('Call-ID'), 'same Call-ID');
cmp_ok($two->cseq(), '>', $one->cseq(), 'next CSeq');
isnt($two->branch(), $one->branch(), 'other branch');
is($mary->register(expires => 0)->{code}, 200, 'de-registered');

answers(500, 500, 500, 500);
like($mary->register()->{code}, qr/^50[03]$/, '500 for good');

# a challenge is not for the browser

$core->{on}{REGISTER} = sub {
    my ($self, $msg) = @_;

    $self->reply($msg, 401, 'Unauthorized', headers => [ 'WWW-Authenticate' =>
        'Digest realm="ims.operator.example", nonce="secret"' ]);
};
$r = $mary->register();

like($r->{code}, qr/^(403|50\d)$/, 'challenge not passed on');
unlike($r->{raw}, qr/secret/, 'nor its nonce');

# provisional answers; answers twice; answers to nobody

$core->{on}{REGISTER} = sub {
    my ($self, $msg) = @_;

    $self->reply($msg, 100, 'Trying');
    $self->accept($msg);
    $self->accept($msg);
    $msg->set(Via => 'SIP/2.0/UDP 127.0.0.1:1;branch=z9hG4bKnobody');
    $self->accept($msg);
};

is($mary->register()->{code}, 200, 'registered after all');
ok($mary->none('200'), 'one answer only');

# the answer is lost: the portal sends again by itself

$mary->register(expires => 0);
my $lost = 0;
$core->{on}{REGISTER} = sub { };

$mary->emit($mary->register_request()->bytes());
ok(IMS::Loop::wait_for(sub { $core->{again} >= 1 }, 2), 'sent again after T1');
$core->accept(($core->seen('REGISTER'))[-1]);
is($mary->final('REGISTER')->{code}, 200, 'registered by the second');

$mary->close();
