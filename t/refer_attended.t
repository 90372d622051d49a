#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# An attended transfer between three ends: Mary calls Bob, then Carol, then
# connects the two; and the other way, where Mary is the one who is connected.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Call qw/ call_down call_up hang_up sdp_body /;
use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::NG;
use IMS::SDP qw/ web_sdp ims_sdp /;
use IMS::Subscription qw/ notify /;
use JSON::PP qw/ decode_json /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(24);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));
my $carol = 'sip:carol@ims.operator.example';

$mary->register();

my %frag = (event => 'refer', headers => [
    'Content-Type' => 'message/sipfrag' ]);

sub tag { return ($_[0] =~ /;tag=([^;]+)/)[0] }

sub escaped { return join '', map { /[\w.\-]/ ? $_ : sprintf '%%%02X', ord }
    split //, $_[0] }

# Mary holds both calls

my $bob = call_up($mary, $core);
my $other = call_up($mary, $core, to => $carol, headers => [
    'Content-Type' => 'application/sdp' ], body => web_sdp());

# she asks Bob to take her place with Carol: the names of that dialog are as
# Carol knows them

my $replaces = join ';', $other->{web}{id},
    'to-tag=' . tag($other->{web}{remote}),
    'from-tag=' . tag($other->{web}{local});

$mary->within($bob->{web}, 'REFER', headers => [
    Contact => $mary->contact(),
    'Refer-To' => "<$carol?Replaces=" . escaped($replaces) . '>' ]);

my $r = $core->expect('REFER');
my ($got) = $r->h('Refer-To') =~ /\?Replaces=([^>&]+)/;
$got =~ s/%([0-9A-F]{2})/chr hex $1/ge;

is($got, $replaces, 'Replaces within Refer-To');
is((split /;/, $got)[0], $other->{seen}->h('Call-ID'),
    'a Call-ID that Carol knows');
like($got, qr/from-tag=\Q@{[ $other->{seen}->tag('From') ]}\E/,
    'Mary as Carol knows her');
like($got, qr/to-tag=\Q@{[ tag($other->{core}{local}) ]}\E/, 'Carol herself');
$core->reply($r, 202, 'Accepted', headers => [ Contact => $core->contact() ]);
is($mary->final('REFER')->{code}, 202, 'accepted');

notify($core, $bob->{core}, $mary, 'active;expires=60', %frag,
    body => "SIP/2.0 180 Ringing\r\n");

# Carol takes Bob's call and ends that with Mary; Bob tells and hangs up

is(hang_up($core, $other->{core}, $mary), 200, 'Carol ends the second call');
$r = notify($core, $bob->{core}, $mary, 'terminated;reason=noresource', %frag,
    body => "SIP/2.0 200 OK\r\n");
is($r->{seen}{body}, "SIP/2.0 200 OK\r\n", 'it worked');
is(hang_up($mary, $bob->{web}, $core), 200, 'Mary ends the first');
is(scalar $ng->seen('delete'), 2, 'media of both freed');

# the other way: Bob connects Mary with Carol, who calls in the place of Bob

$bob = call_down($mary, $core);
$replaces = join ';', $bob->{web}{id}, 'to-tag=' . tag($bob->{web}{local}),
    'from-tag=' . tag($bob->{web}{remote});
$other = call_down($mary, $core, headers => [ Replaces => $replaces,
    'Referred-By' => '<sip:bob@ims.operator.example>' ]);
is($other->{seen}->h('Replaces'), $replaces, 'Replaces at the browser');
is($other->{seen}->h('Referred-By'), '<sip:bob@ims.operator.example>',
    'Referred-By');
like($other->{seen}->h('Replaces'),
    qr/to-tag=\Q@{[ tag($bob->{ok}->h('To')) ]}\E/, 'the names of that call');
is(hang_up($mary, $bob->{web}, $core), 200, 'Mary ends the replaced call');

# and once more: Bob asks Mary to call Carol, in the place of Bob

my $third = call_down($mary, $core);
$core->within($third->{core}, 'REFER', headers => [
    Contact => $core->contact(), 'Refer-To' =>
    "<$carol?Replaces=abc%3Bto-tag%3D5%3Bfrom-tag%3D6&Require=replaces>" ]);
$r = $mary->expect('REFER');
like($r->h('Refer-To'), qr/Replaces=abc/, 'Bob asks Mary');
$mary->reply($r, 202, 'Accepted', headers => [ Contact => $mary->contact() ]);
is($core->final('REFER')->{code}, 202, 'accepted by Mary');

my $last = call_up($mary, $core, to => $carol, headers => [
    'Content-Type' => 'application/sdp', Require => 'replaces',
    Replaces => 'abc;to-tag=5;from-tag=6' ], body => web_sdp());
is($last->{seen}->h('Replaces'), 'abc;to-tag=5;from-tag=6', 'Replaces up');
$r = notify($mary, $third->{web}, $core, 'terminated;reason=noresource', %frag,
    body => "SIP/2.0 200 OK\r\n");
is($r->{ok}{code}, 200, 'Mary tells Bob');

is(hang_up($_->[0], $_->[1], $_->[2]), 200, 'BYE') for
    [ $core, $third->{core}, $mary ], [ $mary, $last->{web}, $core ],
    [ $mary, $other->{web}, $core ];

# a fork answered whose tag Mary has not seen: each is told what it knows

my $sent = $mary->start('INVITE', sdp_body(web_sdp()));
my $seen = $core->expect('INVITE');

$core->reply($seen, 180, 'Ringing', tag => 'one', headers => [
    Contact => $core->contact() ]);
$mary->expect('180');
my $answer = $core->reply($seen, 200, 'OK', tag => 'two', headers => [
    Contact => $core->contact(), 'Content-Type' => 'application/sdp' ],
    body => ims_sdp());
my $ok = $mary->expect('200 INVITE');
is($ok->tag('To'), 'one', 'the fork that rang first, for Mary');
my $web = $mary->dialog($sent, $ok, 1);
$mary->within($web, 'ACK');
$core->expect('ACK');

$bob = call_up($mary, $core);
$replaces = "$web->{id};to-tag=one;from-tag=" . tag($web->{local});
$mary->within($bob->{web}, 'REFER', headers => [
    Contact => $mary->contact(),
    'Refer-To' => "<$carol?Replaces=" . escaped($replaces) . '>' ]);
$r = $core->expect('REFER');
like($r->h('Refer-To'), qr/to-tag%3Dtwo%3Bfrom-tag%3D/,
    'the one that answered, for Bob');
$core->reply($r, 603, 'Decline');
$mary->final('REFER');

$other = call_down($mary, $core, headers => [
    Replaces => "$web->{id};to-tag=" . tag($web->{local})
        . ';from-tag=two' ]);
is($other->{seen}->h('Replaces'), "$web->{id};to-tag="
    . tag($web->{local}) . ';from-tag=one', 'and as Mary knows it');
hang_up($mary, $_->{web}, $core) for $bob, $other, { web => $web };

my $s = decode_json(IMS::Browser::api('GET', path => '/ims/status')->{body});
is($s->{pools}[0]{dialogs}, 0, 'no record left');
