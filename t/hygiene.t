#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Nothing that a browser says is believed, nothing that is the operator's
# reaches it (design, trust).

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Call qw/ call_up call_down hang_up sdp_body /;
use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::NG;
use IMS::SDP qw/ web_sdp ims_sdp /;
use IMS::SIP;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my @forged = (
    'P-Asserted-Identity' => '<sip:forged@acme.ims.operator.example>',
    'P-Preferred-Identity' => '<sip:forged@acme.ims.operator.example>',
    'P-Access-Network-Info' => 'forged;np',
    'P-Visited-Network-ID' => 'forged',
    'P-Charging-Vector' => 'icid-value=forged',
    'P-Charging-Function-Addresses' => 'ccf=forged',
    'P-Associated-URI' => '<sip:forged@x.org>',
    'P-Profile-Key' => '<sip:forged@x.org>',
    'P-Served-User' => '<sip:forged@x.org>;sescase=orig',
    'P-Called-Party-ID' => '<sip:forged@x.org>',
    'Service-Route' => '<sip:forged@x.org;lr>',
    Path => '<sip:forged@x.org;lr>',
    Route => '<sip:forged@x.org;lr>',
    'Record-Route' => '<sip:forged@x.org;lr>',
    'Security-Client' => 'forged', 'Security-Verify' => 'forged',
    'Security-Server' => 'forged',
    Authorization => 'Bearer forged',
    'Proxy-Authorization' => 'Digest username="forged", realm="", nonce="", '
        . 'uri="", response="", integrity-protected="yes"',
    'p-aSSERTED-iDENTITY' => '<sip:forged@acme.ims.operator.example>',
);

my @operators = (
    'P-Charging-Vector' => 'icid-value=secret',
    'P-Charging-Function-Addresses' => 'ccf=secret',
    'P-Visited-Network-ID' => 'secret',
    'P-Access-Network-Info' => 'secret',
    'p-charging-vector' => 'icid-value=secret',
);

my $t = Test::Nginx->new()->has(qw/ http /)->plan(35);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));
my $impu = $mary->{impu};

$mary->register();

# browser to core

sub checked {
    my ($r, $title) = @_;

    ok($r, $title) or return;
    unlike($r->{raw}, qr/forged/i, "$title: nothing forged");
    is(join('|', map { IMS::SIP::uri_of($_) } $r->all('P-Asserted-Identity')),
        $impu, "$title: one PAI") unless $r->tag('To');
}

$mary->start('MESSAGE', from => 'sip:forged@acme.ims.operator.example',
    headers => [ @forged ], body => 'x');
my $r = $core->expect('MESSAGE');

checked($r, 'MESSAGE');
$core->reply($r, 200, 'OK', headers => [ @operators ]);
unlike($mary->final('MESSAGE')->{raw}, qr/secret/, 'answer to MESSAGE');

# compact and folded spellings

my $bytes = IMS::SIP->new('MESSAGE sip:bob@ims.operator.example SIP/2.0', [
    Via => $mary->via(), 'Max-Forwards' => 70, CSeq => '1 MESSAGE',
    From => "<$impu>;tag=1", To => '<sip:bob@ims.operator.example>',
    'Call-ID' => 'folded', 'P-Asserted-Identity' => "\r\n <sip:forged\@x.org>",
    "P-Charging-Vector \t" => 'icid-value=forged', 'X-After' => 'kept',
])->bytes();

$mary->send($bytes);
$r = $core->expect('MESSAGE');
checked($r, 'folded');
is($r && $r->h('X-After'), 'kept', 'the rest kept');
$core->reply($r, 200, 'OK') if $r;
$mary->final('MESSAGE');

my $call = call_up($mary, $core,
    from => 'sip:forged@acme.ims.operator.example',
    headers => [ @forged, 'Content-Type' => 'application/sdp' ],
    body => web_sdp());
$r = $call->{seen};
checked($r, 'INVITE');
is(join('|', $r->all('Route')), $core->service_route(), 'stored Route');

# in the dialog

$mary->within($call->{web}, 'INFO', headers => [ @forged ]);
$r = $core->expect('INFO');
checked($r, 'INFO');
is($r && IMS::SIP::uri_of($r->h('From')), $impu, 'From in the dialog');
$core->reply($r, 200, 'OK', headers => [ @operators ]);
unlike($mary->final('INFO')->{raw}, qr/secret/, 'answer to INFO');

$core->within($call->{core}, 'INFO', headers => [ @operators ]);
$r = $mary->expect('INFO');
unlike($r->{raw}, qr/secret/, 'INFO of the core');
$mary->reply($r, 200, 'OK', headers => [ @forged[0 .. 13] ]);
unlike($core->final('INFO')->{raw}, qr/forged/, 'answer of the browser');
hang_up($mary, $call->{web}, $core);

# a browser that answers with what it may not say

$core->terminating('MESSAGE', to => $impu, headers => [ @operators ],
    body => 'x');
$r = $mary->expect('MESSAGE');
unlike($r->{raw}, qr/secret/, 'MESSAGE of the core');
ok($r->h('P-Asserted-Identity'), 'PAI without Privacy');
$mary->reply($r, 200, 'OK', headers => [ @forged[0 .. 13] ]);
$r = $core->final('MESSAGE');
unlike($r->{raw}, qr/forged/, 'answer to MESSAGE of the core');
is(IMS::SIP::uri_of($r->h('P-Asserted-Identity') || "<$impu>"), $impu,
    'no other PAI');

# privacy of the caller

for my $privacy ('id', 'header;id', 'id;critical') {
    $core->terminating('MESSAGE', to => $impu, body => 'x', headers => [
        Privacy => $privacy ]);
    $r = $mary->expect('MESSAGE');
    is($r->h('P-Asserted-Identity'), undef, "Privacy: $privacy");
    $mary->reply($r, 200, 'OK');
    $core->final('MESSAGE');
}

$core->terminating('MESSAGE', to => $impu, body => 'x', headers => [
    Privacy => 'none' ]);
$r = $mary->expect('MESSAGE');
ok($r->h('P-Asserted-Identity'), 'Privacy: none');
$mary->reply($r, 200, 'OK');

$call = call_down($mary, $core, headers => [ Privacy => 'id', @operators ]);
is($call->{seen}->h('P-Asserted-Identity'), undef, 'INVITE with Privacy: id');
unlike($call->{seen}{raw}, qr/secret/, 'INVITE of the core');
is(hang_up($core, $call->{core}, $mary), 200, 'BYE');

# identities that claims could bring in do not end a header field

for my $sub ("a\r\nX: y", 'a<b>@c', "\x{1}") {
    my $s = IMS::Browser::api('POST', token => $jwt->token($sub));
    unlike($s->{body}, qr/\r\nX:/, 'odd subject');
}

# errors of the portal itself say nothing either

$r = $mary->ask('MESSAGE', headers => [ @forged ], max_forwards => 0);
is($r->{code}, 483, 'refused');
unlike($r->{raw}, qr/forged/, 'nothing echoed');
ok($mary->is_open(), 'still open');

$mary->close();
