#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# What a browser says that it can do, on its way to the core, and what the core
# makes of it, on its way back (RFC 5626, RFC 5627, RFC 3840).

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

my $t = Test::Nginx->new()->has(qw/ http /)->plan(49);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    register => 'trusted flag=yes waf=portal.corp.example '
        . 'parameter=authorization-entity'));
$t->run();

my $core = IMS::Core->new()->registrar();
my @routes = ('sip:one@' . $core->host() . ';lr', 'sip:two@192.0.2.2;lr',
    'sip:three@192.0.2.3;orig');
my $mary = IMS::Browser->open(token => $jwt->token('mary'));
my $mmtel = '+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel"';
my $instance = '+sip.instance="<urn:uuid:' . $mary->{instance} . '>"';

sub last_one { return ($core->seen('REGISTER'))[-1] }

sub contact { return $mary->contact() . ";$instance$_[0];expires=600" }

sub params { return ((last_one())->h('Contact') =~ />(.*)$/)[0] }

# all of them go up with the portal's own Contact

my $ok = $mary->register(contact => contact(";reg-id=1;$mmtel;audio;q=0.5"));
is($ok->{code}, 200, 'registered');

my $r = last_one();
my $up = params();

like($up, qr/;\Q$instance\E(;|$)/, '+sip.instance');
like($up, qr/;reg-id=1(;|$)/, 'reg-id');
like($up, qr/;\Q$mmtel\E(;|$)/, 'a feature tag');
like($up, qr/;audio(;|$)/, 'one without a value');
like($up, qr/;q=0\.5(;|$)/, 'q');
is(() = $up =~ /;expires=/g, 1, 'one expires, of the portal');
like(join(',', $r->all('Supported')), qr/outbound/, 'outbound');
like(join(',', $r->all('Supported')), qr/gruu/, 'gruu');
is(scalar $r->all('Contact'), 1, 'one Contact');

like($r->h('Authorization'), qr/integrity-protected="yes"/, 'flag');
like($r->h('Authorization'),
    qr/, authorization-entity="portal\.corp\.example"/, 'the portal by name');

is($ok->h('Require'), undef, 'outbound not required by this core');
is($ok->h('Flow-Timer'), undef, 'no Flow-Timer without it');

# the same once more is answered from the record, something new is not

my $before = $core->seen('REGISTER');
$mary->register(contact => contact(";reg-id=1;$mmtel;audio;q=0.5"));
is(scalar $core->seen('REGISTER'), $before, 'the same: not told again');
$mary->register(contact => contact(";reg-id=1;$mmtel;audio;video"));
is(scalar $core->seen('REGISTER'), $before + 1, 'video, too: told');
like(params(), qr/;video(;|$)/, 'as it is now');

# a registrar that tells bindings by instance finds the one that goes

$mary->register(expires => 0, contact => $mary->contact() . ";$instance");
is(last_one()->h('Expires'), 0, 'de-registered');
like(params(), qr/;\Q$instance\E(;|$)/, 'with the instance');
like(params(), qr/;reg-id=1(;|$)/, 'and reg-id');

# nothing that is malformed, that belongs to the portal or to the core

my %bad = (
    'pub-gruu' => ';pub-gruu="sip:evil@x"', 'temp-gruu' => ';temp-gruu="x"',
    'received' => ';received="sip:1.2.3.4"', 'foo' => ';foo=bar',
    'bnc' => ';bnc', 'x-y' => ';x-y="a;b"', '+a<b' => ';+a<b=c',
);

for my $name (sort keys %bad) {
    $ok = $mary->register(contact => contact("$bad{$name};$mmtel"));

    if ($ok->{code} == 200) {
        unlike(params(), qr/\Q$name\E/, "$name stays here");

    } else {
        is($ok->{code}, 400, "$name refused");
    }

    $mary->register(expires => 0, contact => $mary->contact() . ";$instance");
}

# odd quoting ends where the quotes do

$ok = $mary->register(contact => contact(';+x.y="a\\";expires=9,<sip:z>";'
    . $mmtel));
is($ok->{code}, 200, 'quoted');
like(params(), qr/;\+x\.y="a\\";expires=9,<sip:z>";\Q$mmtel\E;expires=\d+$/,
    'whole');
like($ok->h('Contact'), qr/;\+x\.y="a\\";expires=9,<sip:z>";/, 'and back');

# outbound and gruu: the core's word comes back

$core->{on}{REGISTER} = sub {
    my ($self, $msg) = @_;
    my $uri = IMS::SIP::uri_of($msg->h('Contact'));

    $self->reply($msg, 200, 'OK', headers => [
        Contact => "<sip:other\@192.0.2.1>;expires=9999, <$uri>;reg-id=1"
            . ';pub-gruu="sip:u001@acme.ims.operator.example;gr=urn:x"'
            . ';temp-gruu="sip:tg1@ims.operator.example;gr"'
            . ";+sip.instance=\"<urn:x>\";expires=540",
        Require => 'outbound', 'Flow-Timer' => 120,
        'Service-Route' => "<$routes[0]>, <$routes[1]>",
        'Service-Route' => "<$routes[2]>",
        'P-Associated-URI' => '<sip:u001@acme.ims.operator.example>',
        'P-Associated-URI' => '<tel:+1555!.*!>, <tel:+15550001>',
    ]);
};

$mary->register(expires => 0, contact => $mary->contact() . ";$instance");
$ok = $mary->register();
is($ok->{code}, 200, 'registered');
is($ok->h('Require'), 'outbound', 'outbound required');
is($ok->h('Flow-Timer'), 120, 'Flow-Timer with it');
like($ok->h('Contact'), qr/;pub-gruu="sip:u001\@acme\S+;gr=urn:x"/,
    'pub-gruu');
like($ok->h('Contact'), qr/;temp-gruu="sip:tg1\@\S+;gr"/, 'temp-gruu');
unlike($ok->{raw}, qr/other\@192|9999/, 'of its own Contact only');
is(scalar $ok->all('Contact'), 1, 'one Contact');
is(join(' ', map { IMS::SIP::uri_of($_) } $ok->list('Service-Route')),
    "@routes", 'Service-Route in order');

$ok = $mary->register();
like($ok->h('Contact'), qr/pub-gruu/, 'the same from the record');
is($ok->h('Flow-Timer'), 120, 'all of it');

# a request goes that way, with the service that the browser prefers; a
# wildcard is nobody's name

$mary->start('MESSAGE', body => 'x', headers => [
    'P-Preferred-Service' => 'urn:urn-7:3gpp-service.ims.icsi.mmtel' ]);
my $msg = $core->expect('MESSAGE');

is(join(' ', map { IMS::SIP::uri_of($_) } $msg->list('Route')),
    "@routes", 'Route is the Service-Route');
is($msg->h('P-Preferred-Service'), 'urn:urn-7:3gpp-service.ims.icsi.mmtel',
    'P-Preferred-Service');
unlike(join(',', $msg->all('P-Asserted-Identity')), qr/!/, 'no wildcard');
like(join(',', $msg->all('P-Asserted-Identity')), qr/<tel:\+15550001>/,
    'but the number behind it');

$core->registrar();
$mary->close();

# the line itself

sub refused {
    my ($line, $expected, $name) = @_;

    $t->write_file_expand('bad.conf', ims_conf(register => $line));
    like(ims_check($t, 'bad.conf'), $expected, $name);
}

refused('trusted waf=x', qr/needs both "waf" and "parameter"/, 'waf');
refused('trusted waf=x parameter=a=b', qr/invalid name in "parameter"/,
    'parameter');
refused('trusted waf=a"b parameter=c', qr/invalid parameter "waf=a"b"/,
    'quote');
refused('trusted flag=a,b', qr/invalid parameter "flag=a,b"/, 'comma');
refused('trusted; register trusted', qr/"register" directive is duplicate/,
    'twice');

# a sub holds it: the two tests of its own come now, not too late

undef $t;
