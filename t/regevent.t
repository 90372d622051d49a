#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The network ends registrations: what the portal learns by subscribing to them,
# and what becomes of the browser (RFC 3680).

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ call_up hang_up /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IMS::RegEvent;
use IMS::SIP;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(61);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(core => 'reg_event on;',
    media => 'unix:%%TESTDIR%%/ng.sock', grace => $IMS::Loop::SLOW . 's'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $reg = IMS::RegEvent->new($core);
my %mary = (token => $jwt->token('mary'));

sub registered {
    my $mary = IMS::Browser->open(%mary);
    my $before = $core->seen('SUBSCRIBE');

    is($mary->register()->{code}, 200, 'registered');
    ok(IMS::Loop::wait_for(sub {
        $core->seen('SUBSCRIBE') > $before
            && ($core->seen('SUBSCRIBE'))[-1]->h('Expires') > 0 }, 2),
        'subscribed');

    return $mary;
}

sub answered {
    my ($code, $name) = @_;

    is($core->final('NOTIFY')->{code}, $code, $name);
}

sub last_one { return ($core->seen($_[0]))[-1] }

# what the subscription says

my $mary = registered();
my $sub = last_one('SUBSCRIBE');
my $contact = IMS::SIP::uri_of(last_one('REGISTER')->h('Contact'));

is($sub->{uri}, $mary->{impu}, 'to the identity');
is($sub->h('P-Asserted-Identity'), "<$mary->{impu}>", 'in its name');
is($sub->h('Event'), 'reg', 'Event');
is($sub->h('Accept'), 'application/reginfo+xml', 'Accept');
is($sub->h('Route'), $core->service_route(), 'by the Service-Route');
is(IMS::SIP::uri_of($sub->h('Contact')), $contact, 'NOTIFYs to the binding');
like($sub->h('P-Charging-Vector'), qr/icid-value="[^"]+"/, 'to be charged');
cmp_ok($sub->h('Expires'), '>=', 3600, 'Expires');

# the first news, which begin with version 2, change nothing

$reg->notify('active', $reg->contact('active', 'registered',
    expires => 540), full => 1);
answered(200, 'active');
$reg->notify('active', $reg->contact('active', 'refreshed'));
answered(200, 'refreshed');
is($mary->register()->{code}, 200, 'still there');
is(scalar $core->seen('SUBSCRIBE'), 1, 'subscribed once');

# another's contact is none of ours

$reg->notify('active', '<contact id="x" state="terminated" event="rejected">'
    . '<uri>sip:other@192.0.2.1</uri></contact>');
answered(200, 'another contact');
ok($mary->none('NOTIFY'), 'nothing for the browser');

# the network ends it: no contact at all, and 4 comes before 3

$reg->notify('terminated', '', version => 14);
answered(200, 'terminated');
is($mary->closed(3), 4403, 'the page is told');
ok(IMS::Loop::wait_for(sub { last_one('SUBSCRIBE')->h('Expires') == 0 }, 2),
    'subscription taken back');
is(last_one('SUBSCRIBE')->h('To'), $reg->{to}, 'within its dialog');
is(last_one('SUBSCRIBE')->{uri}, 'sip:notifier@' . $core->host(),
    'to its target');
$reg->notify('terminated', '', version => 13);
like($core->final('NOTIFY')->{code}, qr/^(?:200|481)$/, 'once more, older');
cmp_ok(expires_of(last_one('REGISTER')), '>', 0, 'no de-registration behind it');

sub expires_of { return $_[0]->h('Expires') }

# rejected, unregistered

$mary = registered();
$reg->notify('terminated', $reg->contact('terminated', 'rejected'));
answered(200, 'rejected');
is($mary->closed(3), 4403, 'and do not come back');

$mary = registered();
$reg->notify('active', $reg->contact('terminated', 'unregistered'));
answered(200, 'unregistered');
is($mary->closed(3), 1013, 'and come back if you like');

# deactivated: the portal registers again, the browser hears nothing

$mary = registered();
my $before = $core->seen('REGISTER');
$reg->notify('terminated', $reg->contact('terminated', 'deactivated'));
answered(200, 'deactivated');
ok(IMS::Loop::wait_for(sub { $core->seen('REGISTER') == $before + 1 }, 3),
    'registered again');
cmp_ok(expires_of(last_one('REGISTER')), '>', 0, 'as registration');
is($mary->register()->{code}, 200, 'still registered');
is(scalar $core->seen('REGISTER'), $before + 1, 'and the core was not asked');

# and not again at once

$reg->notify('terminated', $reg->contact('terminated', 'deactivated'));
answered(200, 'deactivated again');
ok($core->none('REGISTER', 1.5), 'which takes its time');

# within a call: the call goes on, and the page is told behind it

$mary->close();
$mary = registered();

my $call = call_up($mary, $core);
$reg->notify('terminated', $reg->contact('terminated', 'rejected'));
answered(200, 'rejected in a call');
ok(!defined $mary->closed(0.5), 'the call goes on');
is($mary->ask('MESSAGE', body => 'x')->{code}, 403, 'nothing new does');
is(hang_up($mary, $call->{web}, $core), 200, 'BYE');
is($mary->closed(3), 4403, 'told behind it');

# while the browser is away

$mary = registered();
$mary->drop();
IMS::Loop::pause(0.2);
$before = $core->seen('REGISTER');
$reg->notify('terminated', '');
answered(200, 'ended while it is away');
$mary = registered();
is(scalar(grep { expires_of($_) > 0 } ($core->seen('REGISTER'))[$before ..
    $core->seen('REGISTER') - 1]), 1, 'registered anew');

# what is not for the portal, and what cannot be read

$reg->notify('terminated', '', id => substr($reg->{subscribe}->h('Call-ID'),
    0, -1) . 'x');
answered(481, 'of another subscription');
$reg->notify('', '', body => '<reginfo');
answered(400, 'not well-formed');
$reg->notify('', '', body => '<!DOCTYPE reginfo [<!ENTITY a "a">]>'
    . '<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="99" '
    . 'state="full"/>');
answered(400, 'a document type');
is($mary->register()->{code}, 200, 'none of it matters');

# the browser takes it back

is($mary->register(expires => 0)->{code}, 200, 'de-registered');
is(last_one('SUBSCRIBE')->h('Expires'), 0, 'subscription taken back');

$mary->close();
$t->stop();

my $log = $t->read_file('error.log');

like($log, qr/sent registration information that cannot be read/, 'logged');
like($log, qr/network ended the registration of "mary"/, 'for an operator');
