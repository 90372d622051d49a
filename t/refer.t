#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Transfers (RFC 3515, RFC 3891, RFC 4488), asked for by either end.

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
use IMS::Loop;
use IMS::NG;
use IMS::SDP qw/ web_sdp ims_sdp /;
use IMS::SIP;
use IMS::Subscription qw/ notify /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(43);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));
my $impu = $mary->{impu};
my $carol = 'sip:carol@ims.operator.example';

$mary->register();

# blind, by the browser: REFER, the news of it, BYE, the rest of the news

my $call = call_up($mary, $core);

sub refer {
    my ($from, $dialog, $to, @headers) = @_;

    return $from->within($dialog, 'REFER', headers => [
        Contact => $from->contact(), 'Refer-To' => $to, @headers ]);
}

my $sent = refer($mary, $call->{web}, "<$carol>",
    'Referred-By' => '<sip:boss@ims.operator.example>;cid="x"');
my $r = $core->expect('REFER');

is($r->h('Refer-To'), "<$carol>", 'Refer-To');
is($r->h('Referred-By'), "<$impu>", 'Referred-By is who asks');
is($r->tag('To'), $call->{ok}->tag('To'), 'in the dialog of the call');
like($r->h('Contact'), qr/\@127\.0\.0\.1/, 'Contact of the portal');
$core->reply($r, 202, 'Accepted', headers => [ Contact => $core->contact() ]);
is($mary->final('REFER')->{code}, 202, 'accepted');

my %frag = (event => 'refer', headers => [
    'Content-Type' => 'message/sipfrag' ]);

$r = notify($core, $call->{core}, $mary, 'active;expires=60', %frag,
    body => "SIP/2.0 100 Trying\r\n");
is($r->{seen}{body}, "SIP/2.0 100 Trying\r\n", 'the first news');
is($r->{ok}{code}, 200, 'answered');

is(hang_up($mary, $call->{web}, $core), 200, 'BYE');
is(scalar $ng->seen('delete'), 1, 'media freed');

$r = notify($core, $call->{core}, $mary, 'terminated;reason=noresource',
    %frag, body => "SIP/2.0 200 OK\r\n");
is($r->{seen}{body}, "SIP/2.0 200 OK\r\n", 'the last news, behind the BYE');
is($r->{ok}{code}, 200, 'answered, too');

$core->within($call->{core}, 'NOTIFY', headers => [ Event => 'refer',
    'Subscription-State' => 'active' ]);
is($core->final('NOTIFY')->{code}, 481, 'then the dialog is gone');

# the core asks the browser to call; it calls, and takes the place of another

$call = call_down($mary, $core);
refer($core, $call->{core},
    "<$carol?Replaces=other%3Bto-tag%3D1%3Bfrom-tag%3D2>",
    'Referred-By' => '<sip:bob@ims.operator.example>');
$r = $mary->expect('REFER');
is($r->h('Refer-To'), "<$carol?Replaces=other%3Bto-tag%3D1%3Bfrom-tag%3D2>",
    'Refer-To with Replaces');
is($r->h('Referred-By'), '<sip:bob@ims.operator.example>', 'Referred-By');
$mary->reply($r, 202, 'Accepted', headers => [ Contact => $mary->contact() ]);
is($core->final('REFER')->{code}, 202, 'accepted by the browser');

my $replaces = 'other;to-tag=1;from-tag=2';
my $new = call_up($mary, $core, to => $carol, headers => [
    'Content-Type' => 'application/sdp', Replaces => $replaces,
    Require => 'replaces', 'Referred-By' => '<sip:bob@x.example>' ],
    body => web_sdp());
is($new->{seen}->h('Replaces'), $replaces, 'Replaces up');
is($new->{seen}->h('Require'), 'replaces', 'Require');
is($new->{seen}->h('Referred-By'), undef, 'nobody vouches for that name');

$r = notify($mary, $call->{web}, $core, 'terminated;reason=noresource',
    %frag, body => "SIP/2.0 200 OK\r\n");
is($r->{seen}{body}, "SIP/2.0 200 OK\r\n", 'the browser tells');
is($r->{seen}->h('From'), $call->{ok}->h('To'), 'as the core knows it');
is($r->{ok}{code}, 200, 'answered');
is(hang_up($core, $call->{core}, $mary), 200, 'the core hangs up');
is(hang_up($mary, $new->{web}, $core), 200, 'and the browser');

# somebody takes the place of the far end

$call = call_up($mary, $core);
my $from = $call->{web}{local} =~ s/.*;tag=//r;
my $to = $call->{web}{remote} =~ s/.*;tag=//r;
$new = call_down($mary, $core, headers => [ Replaces =>
    "$call->{web}{id};to-tag=$from;from-tag=$to", Require => 'replaces' ]);
is($new->{seen}->h('Replaces'),
    "$call->{web}{id};to-tag=$from;from-tag=$to", 'Replaces down');
is(hang_up($mary, $call->{web}, $core), 200, 'the first call ends');
is(hang_up($mary, $new->{web}, $core), 200, 'the second, too');

# without a subscription

$call = call_up($mary, $core);
refer($mary, $call->{web}, "<$carol>", 'Refer-Sub' => 'false');
$r = $core->expect('REFER');
is($r->h('Refer-Sub'), 'false', 'Refer-Sub');
$core->reply($r, 200, 'OK', headers => [ Contact => $core->contact(),
    'Refer-Sub' => 'false' ]);
is($mary->final('REFER')->h('Refer-Sub'), 'false', 'Refer-Sub back');

# refused by the far end, and by the portal

refer($mary, $call->{web}, "<$carol>");
$core->reply($core->expect('REFER'), 603, 'Decline');
is($mary->final('REFER')->{code}, 603, 'declined');

for my $case (
    [ '<mailto:carol@x.example>', 403, 'no call' ],
    [ '<sip:carol@x.example;method=BYE>', 403, 'another method' ],
    [ '<sip:carol@x.example', 400, 'garbage' ],
) {
    my ($uri, $code, $title) = @$case;

    refer($mary, $call->{web}, $uri);
    $r = $mary->final('REFER');
    is($r->{code}, $code, $title);
}

like($r->h('Warning'), qr/Refer-To/, 'words');
ok($core->none('REFER'), 'none of it at the core');

refer($mary, $call->{web}, "<$carol>", 'Refer-To' => '<sip:dave@x.example>');
is($mary->final('REFER')->{code}, 400, 'two Refer-To');
hang_up($mary, $call->{web}, $core);
$core->within($call->{core}, 'INFO');
is($core->final('INFO')->{code}, 481, 'nothing stays');

# outside of calls it takes "on"

$r = $mary->ask('REFER', headers => [ 'Refer-To' => "<$carol>" ]);
is($r->{code}, 403, 'outside of a call');
like($r->h('Warning'), qr/within calls/, 'says why');
$core->terminating('REFER', to => $impu, headers => [
    'Refer-To' => "<$carol>" ]);
$r = $core->final('REFER');
is($r->{code}, 603, 'from the core');
ok($mary->none('REFER'), 'not at the browser');

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock', server => 'ims_portal_refer on;'));
$t->reload();
IMS::Loop::pause(0.5);

my $ann = IMS::Browser->open(token => $jwt->token('ann'));

$ann->register();
$sent = $ann->start('REFER', headers => [ 'Refer-To' => "<$carol>" ]);
$r = $core->expect('REFER');
ok($r, 'on: outside of a call');
my $answer = $core->reply($r, 202, 'Accepted', headers => [
    Contact => $core->contact() ]);
$ann->final('REFER');
$r = notify($core, $core->dialog($r, $answer, 0), $ann, 'terminated', %frag);
is($r->{ok}{code}, 200, 'its NOTIFY');

$core->terminating('REFER', to => $ann->{impu}, headers => [
    'Refer-To' => "<$carol>" ]);
$r = $ann->expect('REFER');
$ann->reply($r, 603, 'Decline');
is($core->final('REFER')->{code}, 603, 'the browser may decline');
