#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Who it is from, what network, what is private: the header fields of TS 24.229
# on their way (spec SE-3, SE-4, SE-8, SE-9, SE-19).

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::SIP;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(40);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    core => 'access_network_info "DSL;dsl-location=\"site 7\"";'));
$t->run();

my $tel = 'tel:+15550100007';
my $core = IMS::Core->new()->registrar(headers => [
    'P-Associated-URI' => "<$tel>" ]);
my $mary = IMS::Browser->open(token => $jwt->token('mary'));
my $impu = $mary->{impu};

$mary->register();

sub up {
    my (@headers) = @_;

    $mary->start('MESSAGE', headers => [ @headers ], body => 'x');
    my $r = $core->expect('MESSAGE');
    $core->reply($r, 200, 'OK');
    $mary->final('MESSAGE');

    return $r;
}

sub down {
    my (@headers) = @_;

    $core->terminating('MESSAGE', to => $impu, headers => [ @headers ],
        body => 'x');
    my $r = $mary->expect('MESSAGE');
    $mary->reply($r, 200, 'OK');
    $core->final('MESSAGE');

    return $r;
}

sub pai { return join '|', map { IMS::SIP::uri_of($_) }
    $_[0]->list('P-Asserted-Identity') }

# who

is(pai(up()), "$impu|$tel", 'the identity, then its number');

for my $case (
    [ "<$tel>", "$tel|$impu", 'the number preferred' ],
    [ "<tel:+1-555-010-0007>", "$tel|$impu", 'with separators' ],
    [ "\"M, \\\"x\\\"\" <$impu>", "$impu|$tel", 'the identity preferred' ],
    [ '<sip:u200@acme.ims.operator.example>', "$impu|$tel", 'another one' ],
    [ '<tel:+4912345>', "$impu|$tel", 'another number' ],
    [ 'garbage', "$impu|$tel", 'garbage' ],
) {
    my $r = up('P-Preferred-Identity' => $case->[0]);

    is(pai($r), $case->[1], $case->[2]);
    is($r->h('P-Preferred-Identity'), undef, 'and not passed on');
}

# who does not want to be known

for my $case ([ 'id', 1 ], [ 'user;id', 1 ], [ 'user', 1 ], [ 'none', 0 ],
    [ 'header', 0 ])
{
    my $r = up(Privacy => $case->[0]);
    my $from = IMS::SIP::uri_of($r->h('From'));

    is($from, $case->[1] ? 'sip:anonymous@anonymous.invalid' : $impu,
        "Privacy: $case->[0]");
    is(pai($r), "$impu|$tel", 'the core is told nevertheless');
    is($r->h('Privacy'), $case->[0], 'and that it is private');
}

# where

my $r = up('P-Access-Network-Info' => 'IEEE-802.11;np',
    'p-access-network-info' => 'forged');
is(join('|', $r->all('P-Access-Network-Info')),
    'DSL;dsl-location="site 7";np', 'access network of the configuration');

# what of the rest passes

my @kept = ('P-Early-Media' => 'supported',
    'P-Preferred-Service' => 'urn:urn-7:3gpp-service.ims.icsi.mmtel',
    'History-Info' => '<sip:a@x.org>;index=1, <sip:b@x.org>;index=1.1',
    'Accept-Contact' => '*;+g.3gpp.icsi-ref="urn%3Aurn-7"',
    Geolocation => '<cid:1@x.org>', 'Call-Info' => '<http://x.org/a>',
    'Resource-Priority' => 'q735.3', 'User-to-User' => '00a1;encoding=hex',
    Subject => "caf\xc3\xa9");

$r = up(@kept, 'P-Asserted-Service' => 'forged', 'P-Foo' => 'forged',
    'P-User-Database' => 'forged');
my %kept = @kept;
is(join('|', grep { ($r->h($_) || '') ne $kept{$_} } sort keys %kept), '',
    'what a user may say is kept');
unlike($r->{raw}, qr/forged/, 'what a network says is not');

$r = down(@kept, 'P-Asserted-Service' => 'of the core');
is(join('|', grep { ($r->h($_) || '') ne $kept{$_} } sort keys %kept), '',
    'the same down');
ok($r->h('P-Asserted-Service'), 'a browser is told the service');

# what the browser supports, and what is the portal's business

$r = up(Supported => 'path, outbound,gruu , timer', k => 'sec-agree, 100rel',
    Require => 'outbound', Require => 'x-own');
is(join('|', map { split /\s*,\s*/ } $r->all('Supported')), 'timer|100rel',
    'Supported');
is(join('|', $r->all('Require')), 'x-own', 'Require');

# compact names, folding, several values in a line

$mary->emit(join "\r\n", 'MESSAGE sip:bob@ims.operator.example SIP/2.0',
    'v: ' . $mary->via(), 'Max-Forwards: 70', "f: \"M\" <$impu>", "  ;tag=1",
    't: <sip:bob@ims.operator.example>', 'i: compact', 'CSeq: 7',
    ' MESSAGE', 'k: path,', ' x-own', 'c: text/plain', 'l: 2', '', 'hi');
$r = $core->expect('MESSAGE');
is($r->{body}, 'hi', 'compact');
is($r->h('From'), "<$impu>;tag=1", 'folded From');
is($r->h('Call-ID'), 'compact', 'compact Call-ID');
is($r->h('Supported'), 'x-own', 'folded list');
$core->reply($r, 200, 'OK', headers => [ m => $core->contact() ]);
is($mary->final('MESSAGE')->h('CSeq'), '7 MESSAGE', 'answered');
