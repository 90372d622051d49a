#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# REGISTER: the portal is the user agent towards the core (design D16), as a
# trusted node (TS 33.203 annex U), and says nothing that the browser made up.

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

my $t = Test::Nginx->new()->has(qw/ http /)->plan(45);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf());
$t->run();

my $core = IMS::Core->new();
my $own = '127.0.0.1:' . port(8980, udp => 1);
my $token = $jwt->token('mary');
my $mary = IMS::Browser->open(token => $token);
my $impu = $mary->{impu};
my ($user) = $impu =~ /sip:(\w+)@/;

# what the core sees, of a browser that makes things up

my $sent = $mary->register_request(headers => [
    Authorization => "Bearer $token",
    Authorization => 'Digest username="forged@x", realm="x", nonce="", '
        . 'uri="sip:x", response="", integrity-protected="tls-yes"',
    'P-Asserted-Identity' => '<sip:forged@acme.ims.operator.example>',
    'P-Preferred-Identity' => '<sip:forged@acme.ims.operator.example>',
    'P-Visited-Network-ID' => 'forged.example',
    'P-Access-Network-Info' => 'forged;np',
    'P-Charging-Vector' => 'icid-value=forged',
    Path => '<sip:forged@example.org;lr>',
    Route => '<sip:forged@example.org;lr>',
    'Security-Client' => 'forged', 'Security-Verify' => 'forged',
    'X-Any' => 'forged',
]);

$mary->emit($sent->bytes());

my $r = $core->expect('REGISTER');

is($r->{uri}, 'sip:ims.operator.example', 'Request-URI');
is(IMS::SIP::uri_of($r->h('To')), $impu, 'To');
is(IMS::SIP::uri_of($r->h('From')), $impu, 'From');
is($r->tag('To'), undef, 'To without a tag');
like($r->tag('From'), qr/./, 'From with a tag');
like($r->h('Via'), qr!^SIP/2\.0/UDP \Q$own\E;.*branch=z9hG4bK!, 'Via');
is(scalar $r->list('Via'), 1, 'one Via');
like($r->h('Max-Forwards'), qr/^(70|69)$/, 'Max-Forwards');
isnt($r->h('Call-ID'), $sent->h('Call-ID'), 'Call-ID of its own');
like($r->h('CSeq'), qr/^\d+ REGISTER$/, 'CSeq');
like($r->h('Contact'), qr/^<sip:[^\@>]+\@\Q$own\E[;>]/, 'Contact');
like($r->h('Path'), qr/^<sip:[^\@>]+\@\Q$own\E;.*\blr\b.*\bob\b.*>$/, 'Path');
is(scalar $r->list('Path'), 1, 'one Path');
like(join(',', $r->all('Require')), qr/\bpath\b/, 'Require: path');
like(join(',', $r->all('Supported')), qr/\bpath\b/, 'Supported: path');
like($r->h('P-Visited-Network-ID'), qr/^"?corp\.example"?$/,
    'P-Visited-Network-ID');
like($r->h('P-Charging-Vector'), qr/icid-value="?[\w.\@-]{6,}/,
    'P-Charging-Vector');
is(join('|', sort split /, /, $r->h('Authorization') =~ s/^Digest //r),
    join('|', 'integrity-protected="auth-done"', 'nonce=""',
    'realm="ims.operator.example"', 'response=""',
    'uri="sip:ims.operator.example"',
    "username=\"$user\@ims.operator.example\""), 'Authorization');
is(scalar $r->all('Authorization'), 1, 'one Authorization');
is($r->h('Content-Length'), 0, 'Content-Length');
like($r->{raw}, qr/^Expires: \d{3,4}\r$/m, 'Expires');
unlike($r->{raw}, qr/forged/, 'nothing forged');
unlike($r->{raw}, qr/Bearer|\Q$token\E|invalid/, 'no token, no browser');

# what the browser sees

$core->accept($r, headers => [ Server => 'core', Path => '<sip:x@y;lr>' ]);
my $ok = $mary->final('REGISTER');

is($ok->{code}, 200, 'registered');
is($ok->h('Call-ID'), $sent->h('Call-ID'), 'Call-ID of the browser');
is($ok->h('CSeq'), $sent->h('CSeq'), 'CSeq of the browser');
is(scalar $ok->list('Via'), 1, 'one Via back');
is($ok->branch(), $sent->branch(), 'branch of the browser');
like($ok->tag('To'), qr/./, 'tag in To');
is(IMS::SIP::uri_of($ok->h('Contact')), 'sip:page@' . $mary->{host}
    . ';transport=ws', 'Contact of the browser');
like($ok->h('Contact'), qr/;expires=(5[5-9]\d|600)\b/, 'expires');
like($ok->h('Service-Route'), qr/^<sip:orig\@127/, 'Service-Route');
is(IMS::SIP::uri_of($ok->h('P-Associated-URI')), $impu, 'P-Associated-URI');
unlike($ok->{raw}, qr/^P-Charging/mi, 'no charging');

# again: from the record

$ok = $mary->register();

is($ok->{code}, 200, 'again');
is($ok->cseq(), 2, 'CSeq of the browser again');
ok($core->none('REGISTER'), 'not asked again');

# not this user's identity

my $eve = 'sip:u199@acme.ims.operator.example';

is($mary->register(to => $eve)->{code}, 403, 'other IMPU');
is($mary->register(to => 'sip:mary@evil.example')->{code}, 403, 'other domain');
is($mary->register(from => $eve)->{code}, 403, 'other From');
ok($core->none('REGISTER'), 'core saw nothing');

# another user: other Contact, other Path

my $bob = IMS::Browser->open(token => $jwt->token('bob'));

$bob->emit($bob->register_request()->bytes());
my $q = $core->expect('REGISTER');
$core->accept($q);

is($bob->final('REGISTER')->{code}, 200, 'bob');
isnt(IMS::SIP::uri_of($q->h('Contact')), IMS::SIP::uri_of($r->h('Contact')),
    'Contact of bob');
isnt($q->h('Path'), $r->h('Path'), 'Path of bob');
isnt($q->h('Call-ID'), $r->h('Call-ID'), 'Call-ID of bob');

$bob->close();
$mary->close();
