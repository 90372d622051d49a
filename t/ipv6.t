#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A core that is reached over IPv6 (RFC 3261 19.1.1: brackets in every URI and
# Via), and a browser that comes over IPv6.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ call_up call_down hang_up /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IMS::SIP;
use IO::Socket::IP;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

plan(skip_all => 'no ::1 here')
    unless IO::Socket::IP->new(Listen => 1, LocalHost => '::1');

my $t = Test::Nginx->new()->has(qw/ http /)->plan(13);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    listen_ims => '[::1]:%%PORT_8980_UDP%% udp',
    server_ims => '[::1]:%%PORT_8981_UDP%%',
    server => 'listen [::1]:%%PORT_8080%%;',
    media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new(addr => '::1')->registrar();
my $edge = '[::1]:' . port(8980, udp => 1);

my $mary = IMS::Browser->open(token => $jwt->token('mary'),
    addr => '::1');

is($mary->{status}, 101, 'browser over IPv6');
is($mary->register()->{code}, 200, 'registered');

my ($reg) = $core->seen('REGISTER');

like($reg->h('Via'), qr!^SIP/2.0/UDP \Q$edge\E;!, 'Via');
like($reg->h('Path'), qr/^<sip:[^@]+\@\Q$edge\E;lr;ob>$/, 'Path');
like(IMS::SIP::uri_of($reg->h('Contact')), qr/^sip:[^@]+\@\Q$edge\E$/,
    'Contact');
like($reg->h('P-Charging-Vector'), qr/icid-value="[^"]+"/, 'icid');

# a call each way: Service-Route and Record-Route have brackets, too

my $call = call_up($mary, $core);

is(($call->{seen}->list('Route'))[0],
    $core->service_route(), 'Service-Route');
is(hang_up($mary, $call->{web}, $core), 200, 'BYE from the browser');

$call = call_up($mary, $core);
is(hang_up($core, $call->{core}, $mary), 200, 'BYE from the core');

$call = call_down($mary, $core);
ok($call, 'call from the core');
is(hang_up($core, $call->{core}, $mary), 200, 'ended');

is(scalar(grep { $_->{command} eq 'delete' } @{$ng->{log}}), 3,
    'helper told of each end');

$mary->close(1000);

IMS::Loop::wait_for(sub { $core->seen('REGISTER') > 1 }, 5);
is(($core->seen('REGISTER'))[-1]->h('Expires'), 0, 'de-registered');
