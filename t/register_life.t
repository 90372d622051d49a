#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The life of a registration: refresh, end, token's end, loss and return.

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

my $t = Test::Nginx->new()->has(qw/ http /)->plan(35);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    grace => 2 * $IMS::Loop::SLOW . 's',
    server => 'ims_portal_jwt_leeway 1s;'));
$t->run();

my $core = IMS::Core->new()->registrar();
my $token = $jwt->token('mary');

sub expires_of {
    my ($msg) = @_;

    return $msg->h('Contact') =~ /;expires=(\d+)/ ? $1 : $msg->h('Expires');
}

sub registers { return scalar $core->seen('REGISTER') }

sub last_one { return ($core->seen('REGISTER'))[-1] }

sub wait_registers {
    my ($count, $seconds) = @_;

    return IMS::Loop::wait_for(sub { registers() >= $count }, $seconds);
}

# de-registration by expires=0

my $mary = IMS::Browser->open(token => $token);
is($mary->register()->{code}, 200, 'registered');
my $first = last_one();

is($mary->register(expires => 0)->{code}, 200, 'expires=0');
ok(wait_registers(2), 'told to the core');
my $second = last_one();

is(expires_of($second), 0, 'as de-registration');
is(IMS::SIP::uri_of($second->h('Contact')),
    IMS::SIP::uri_of($first->h('Contact')), 'of the same Contact');
is($second->h('Call-ID'), $first->h('Call-ID'), 'same Call-ID');
cmp_ok($second->cseq(), '>', $first->cseq(), 'higher CSeq');
is($mary->ask('MESSAGE', body => 'x')->{code}, 403, 'not registered any more');

# and by Contact: *

is($mary->register()->{code}, 200, 'registered again');
is(registers(), 3, 'at the core');
is($mary->register(contact => '*', expires => 0)->{code}, 200, 'Contact: *');
ok(wait_registers(4), 'told to the core');
is(expires_of(last_one()), 0, 'as de-registration');
unlike(last_one()->h('Contact'), qr/\*/, 'of this Contact only');
is($mary->register(contact => '*', expires => 600)->{code}, 400,
    'Contact: * with a life');

# lost, and back in time: nobody at the core notices

is($mary->register()->{code}, 200, 'registered a third time');
my $before = registers();
my $contact = IMS::SIP::uri_of(last_one()->h('Contact'));
my %same = (token => $token, instance => $mary->{instance});

$mary->drop();
IMS::Loop::pause(0.5);
$mary = IMS::Browser->open(%same);
is($mary->register()->{code}, 200, 'back');
IMS::Loop::pause(2.5);

ok(!(grep { expires_of($_) == 0 } ($core->seen('REGISTER'))[$before ..
    registers() - 1]), 'no de-registration');
is(IMS::SIP::uri_of(last_one()->h('Contact')), $contact, 'same Contact');

$core->terminating('MESSAGE', to => $mary->{impu}, body => 'hello');
my $msg = $mary->expect('MESSAGE');
is($msg && $msg->{body}, 'hello', 'reached on the new socket');
$mary->reply($msg, 200, 'OK') if $msg;

# lost for good

$before = registers();
$mary->drop();
ok($core->none('REGISTER', 1), 'nothing within the grace time');
ok(wait_registers($before + 1, 4), 'then told to the core');
is(expires_of(last_one()), 0, 'as de-registration');
is(IMS::SIP::uri_of(last_one()->h('Contact')), $contact, 'of the Contact');
ok(!$core->{registered}{$mary->{impu}}, 'no dead binding');

# the core grants less: refreshed before that is over

$core->registrar(expires => 4);
$mary = IMS::Browser->open(%same);
$before = registers();
is($mary->register()->{code}, 200, 'short life');
ok(wait_registers($before + 2, 5), 'refreshed by the portal');
is(last_one()->h('Call-ID'), ($core->seen('REGISTER'))[$before]->h('Call-ID'),
    'same Call-ID');
isnt(expires_of(last_one()), 0, 'as registration');
$mary->close();
$core->registrar();

# the end of the token bounds it

$mary = IMS::Browser->open(token => $jwt->token('carol', exp => time() + 120));
my $ok = $mary->register();

is($ok->{code}, 200, 'token for two minutes');
cmp_ok(expires_of($ok), '<=', 120, 'told to the browser');
cmp_ok(expires_of(last_one()), '<=', 120, 'told to the core');
$mary->close();

$mary = IMS::Browser->open(token => $jwt->token('dave', exp => time() + 2));
is($mary->register()->{code}, 200, 'token for two seconds');
is($mary->closed(8), 4401, 'closed at its end');
is(expires_of(last_one()), 0, 'de-registered at its end');
