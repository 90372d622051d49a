#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# MESSAGE and OPTIONS, both ways.

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
use IO::Socket::INET;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(52);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(grace => $IMS::Loop::SLOW . 's'));
$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));
my $impu = $mary->{impu};
my $own = '127.0.0.1:' . port(8980, udp => 1);

# not registered

is($mary->ask('MESSAGE', body => 'x')->{code}, 403, 'not registered');
ok($core->none('MESSAGE'), 'core saw nothing');

$mary->register();

# up

my $sent = $mary->start('MESSAGE', to => 'sip:bob@ims.operator.example',
    headers => [ 'Content-Type' => 'text/plain', 'X-Own' => 'kept' ],
    body => "h\xc3\xa9llo");
my $r = $core->expect('MESSAGE');

is($r->{uri}, 'sip:bob@ims.operator.example', 'Request-URI');
is($r->{body}, "h\xc3\xa9llo", 'body');
is($r->h('Content-Length'), 6, 'Content-Length');
is($r->h('Route'), $core->service_route(), 'Route');
is($r->h('Max-Forwards'), 69, 'Max-Forwards');
is(IMS::SIP::uri_of($r->h('P-Asserted-Identity')), $impu, 'PAI');
is(IMS::SIP::uri_of($r->h('From')), $impu, 'From');
is($r->h('Call-ID'), $sent->h('Call-ID'), 'Call-ID');
is($r->h('Content-Type'), 'text/plain', 'Content-Type');
like($r->h('Via'), qr!^SIP/2\.0/UDP \Q$own\E;!, 'Via');
like($r->h('P-Charging-Vector'), qr/icid-value=/, 'icid');
is($r->h('Record-Route'), undef, 'no Record-Route in a MESSAGE');

$core->reply($r, 202, 'Accepted');
my $ok = $mary->final('MESSAGE');

is($ok->{code}, 202, 'answer');
is(join('|', $ok->all('Via')), $sent->h('Via'), 'Via of the browser alone');

# an answer again is absorbed; refusals pass

$core->reply($r, 202, 'Accepted');
ok($mary->none('202'), 'answer twice');

for my $code (404, 480, 486, 606) {
    $mary->start('MESSAGE', body => 'x');
    $core->reply($core->expect('MESSAGE'), $code, 'No');
    is($mary->final('MESSAGE')->{code}, $code, "$code passed on");
}

# the core loses one: sent again by the portal, once only to the browser

$core->{again} = 0;
$mary->start('MESSAGE', body => 'lost');
$r = $core->expect('MESSAGE');
ok(IMS::Loop::wait_for(sub { $core->{again} }, 2), 'sent again');
$core->reply($r, 200, 'OK');
is($mary->final('MESSAGE')->{code}, 200, 'answered late');

# OPTIONS

$mary->start('OPTIONS');
$r = $core->expect('OPTIONS');
ok($r, 'OPTIONS at the core');
$core->reply($r, 200, 'OK', headers => [ Allow => 'INVITE' ]);
is($mary->final('OPTIONS')->h('Allow'), 'INVITE', 'OPTIONS answered');

# down

$sent = $core->terminating('MESSAGE', to => $impu,
    headers => [ 'Content-Type' => 'text/plain' ], body => 'down');
$r = $mary->expect('MESSAGE');

is($r->{uri}, 'sip:page@' . $mary->{host} . ';transport=ws',
    'Request-URI is the Contact of the browser');
is($r->{body}, 'down', 'body down');
is($r->h('Max-Forwards'), 65, 'Max-Forwards down');
is($r->h('Route'), undef, 'no Route');
is(IMS::SIP::uri_of($r->h('P-Called-Party-ID')), $impu, 'P-Called-Party-ID');
is(IMS::SIP::uri_of($r->h('P-Asserted-Identity')),
    'sip:bob@ims.operator.example', 'PAI of the caller');
like($r->h('Via'), qr!^SIP/2\.0/WSS? !, 'Via down');

$mary->reply($r, 200, 'OK');
$ok = $core->final('MESSAGE');

is($ok->{code}, 200, 'answer up');
is($ok->branch(), $sent->branch(), 'to the Via of the core');
is(scalar $ok->list('Via'), scalar $sent->list('Via'), 'own Via taken away');

# retransmitted by the core: the browser gets it once, the answer comes again

$core->again($sent);
ok($mary->none('MESSAGE'), 'retransmission absorbed');
cmp_ok($core->{count}{$ok->{raw}}, '>=', 2, 'and answered again');

$core->terminating('OPTIONS', to => $impu);
$r = $mary->expect('OPTIONS');
$mary->reply($r, 486, 'Busy Here');
is($core->final('OPTIONS')->{code}, 486, 'OPTIONS refused by the browser');

# flow tokens

my $path = $core->{registered}{$impu}{path};
my $contact = $core->{registered}{$impu}{contact};
my ($altered, $other) = ($path, $contact);

s/(.)@/($1 eq '0' ? '1' : '0') . '@'/e for $altered, $other;

$core->terminating('MESSAGE', to => $impu, route => $altered, uri => $other);
like($core->final('MESSAGE')->{code}, qr/^4(03|04|30|80)$/, 'altered token');
ok($mary->none('MESSAGE'), 'not delivered');

$core->terminating('MESSAGE', to => $impu, route => "<sip:$own;lr>",
    uri => "sip:nobody\@$own");
like($core->final('MESSAGE')->{code}, qr/^4(03|04|30|80)$/, 'no token');

# hops and options

is($mary->ask('MESSAGE', max_forwards => 0)->{code}, 483,
    'Max-Forwards 0 up');
$core->terminating('MESSAGE', to => $impu, max_forwards => 0);
is($core->final('MESSAGE')->{code}, 483, 'Max-Forwards 0 down');
$r = $mary->ask('MESSAGE', headers => [ 'Proxy-Require' => 'privacy, foo' ]);
is($r->{code}, 420, 'Proxy-Require');
like($r->h('Unsupported'), qr/\bfoo\b/, 'Unsupported');
$r = $mary->ask('FROBNICATE');
is($r->{code}, 405, 'unknown method');
like($r->h('Allow'), qr/\bMESSAGE\b/, 'Allow');
is($mary->ask('MESSAGE', uri => 'mailto:bob@example.org')->{code}, 416,
    'unknown scheme');
ok($core->none('MESSAGE'), 'none of them at the core');

# who is not the core is not heard

my $stranger = IMS::Core->new(addr => '127.0.0.2');

$stranger->terminating('MESSAGE', to => $impu, route => $path,
    uri => $contact);
ok($mary->none('MESSAGE'), 'stranger not heard');

# a browser that is gone

$mary->close();
IMS::Loop::pause(1.5);
$core->terminating('MESSAGE', to => $impu, route => $path, uri => $contact);
like($core->final('MESSAGE')->{code}, qr/^4(04|30|80)$/, 'flow gone');
is(scalar @{$core->{bad}} + @{$mary->{bad}}, 0, 'nothing unparsable');
