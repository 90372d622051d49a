#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Emergency requests where the core has a route for them.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ sdp_body /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IMS::SDP qw/ web_sdp ims_sdp /;
use IMS::SIP;
use Test::Nginx qw/ port /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(34);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock',
    server => 'ims_portal_jwt_leeway 0s; ims_portal_token_grace 60s;',
    auth => 'both',
    core => 'emergency numbers=112,110:police
        "route=<sip:sos@127.0.0.1:%%PORT_8982_UDP%%;lr>"
        location=https://lis.acme.example/hq;',
    pool => 'calls 1; calls_per_hour 1;'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $ecscf = IMS::Core->new(port => port(8982, udp => 1));
my $route = '<sip:sos@127.0.0.1:' . port(8982, udp => 1) . ';lr>';

my $mary = IMS::Browser->open(token => $jwt->token('mary', exp => time() + 4));

is($mary->ask('INVITE', to => 'tel:112')->{code}, 380, 'not registered');
$mary->register();

# a call

my $sent = $mary->start('INVITE', to => 'tel:1-1-2', body => web_sdp(),
    headers => [ 'Content-Type' => 'application/sdp',
        Geolocation => '<cid:forged@page>', 'Geolocation-Routing' => 'no',
        Route => '<sip:forged@x.example;lr>' ]);
my $invite = $ecscf->expect('INVITE');

is($invite->{uri}, 'urn:service:sos', 'Request-URI');
is(join('|', $invite->all('Route')), $route, 'Route');
is(IMS::SIP::uri_of($invite->h('P-Asserted-Identity')), $mary->{impu}, 'PAI');
is(IMS::SIP::uri_of($invite->h('From')), $mary->{impu}, 'From');
is(IMS::SIP::uri_of($invite->h('To')), 'tel:1-1-2', 'To as it was written');
like($invite->h('P-Charging-Vector'), qr/icid-value=/, 'icid');
like(($invite->list('Record-Route'))[0], qr/;lr/, 'Record-Route');
is(join('|', $invite->all('Geolocation')), '<https://lis.acme.example/hq>',
    'location of the site');
is(join('|', $invite->all('Geolocation-Routing')), 'yes', 'for routing');
unlike($invite->{raw}, qr/forged/, 'nothing forged');
like($invite->{body}, qr!RTP/AVP!, 'SDP of the helper');

$ecscf->reply($invite, 180, 'Ringing', headers => [
    Contact => $ecscf->contact() ]);
is($mary->expect('180')->h('To') =~ s/;tag=.*//r, $sent->h('To'), 'ringing');

my @answer = (headers => [ Contact => $ecscf->contact(),
    'Content-Type' => 'application/sdp' ], body => ims_sdp());
my $answer = $ecscf->reply($invite, 200, 'OK', @answer);
my $ok = $mary->expect('200 INVITE');
like($ok->{body}, qr/SAVPF/, 'answered there');

my $web = $mary->dialog($sent, $ok, 1);
my $far = $ecscf->dialog($invite, $answer, 0);

$mary->within($web, 'ACK');
is($ecscf->expect('ACK')->{uri}, IMS::SIP::uri_of($ecscf->contact()), 'ACK');

# that side is heard

$ecscf->within($far, 'INFO');
my $info = $mary->expect('INFO');
ok($info, 'INFO from there');
$mary->reply($info, 200, 'OK');
is($ecscf->final('INFO')->{code}, 200, 'answered');

# no limits for it

is($mary->ask('INVITE', to => 'sip:bob@ims.operator.example')->{code}, 403,
    'no ordinary call');

my $second = $mary->start('INVITE', sdp_body(web_sdp()), to => 'tel:110');
$invite = $ecscf->expect('INVITE');
is($invite->{uri}, 'urn:service:sos.police', 'a second one');
$ecscf->reply($invite, 180, 'Ringing');
$mary->expect('180');
$mary->same_hop($second, 'CANCEL');
is($ecscf->expect('CANCEL')->{uri}, 'urn:service:sos.police', 'CANCEL');
$ecscf->reply($invite, 487, 'Request Terminated');
is($mary->final('INVITE')->{code}, 487, 'canceled');

my $message = $mary->start('MESSAGE', to => 'urn:service:sos.fire',
    body => 'help');
my $help = $ecscf->expect('MESSAGE');
is($help->{uri}, 'urn:service:sos.fire', 'MESSAGE');
$ecscf->reply($help, 200, 'OK');
is($mary->final('MESSAGE')->{code}, 200, 'answered');

# the token ends while the call is up

ok(IMS::Loop::wait_for(sub {
    grep { $_->h('Contact') =~ /;expires=0\b/ } $core->seen('REGISTER')
}, 8), 'token ended');
is($mary->ask('INVITE')->{code}, 407, 'no ordinary call');

$mary->start('INVITE', sdp_body(web_sdp()),
    to => 'sip:112@ims.operator.example');
$invite = $ecscf->expect('INVITE');
is($invite->{uri}, 'urn:service:sos', 'but an emergency call');
is(IMS::SIP::uri_of($invite->h('P-Asserted-Identity')), $mary->{impu}, 'PAI');
$ecscf->reply($invite, 486, 'Busy Here');
is($mary->final('INVITE')->{code}, 486, 'its answer');

is(IMS::Call::hang_up($mary, $web, $ecscf), 200, 'hung up');

# nobody there; the socket waits for a fresh token

$ecscf->down();
my $sorry = $mary->ask('INVITE', sdp_body(web_sdp()), to => 'tel:110',
    wait => 10);
is($sorry->{code}, 380, 'no answer');
is($sorry->h('Contact'), '<urn:service:sos.police>', 'Contact');
like($sorry->{body}, qr!<type>emergency</type>!, 'take a telephone');
ok($ng->wait_for('delete'), 'media freed');
is(scalar $core->seen('INVITE'), 0, 'nothing at the core');
