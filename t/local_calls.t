#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Calls between users of the portal, with "local_calls on" (UC-7, spec check
# 25): neither core nor helper has a part in them, and SDP is not touched.
# Two workers, so that a call may have its ends in different ones.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ sdp_body hang_up /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::NG;
use IMS::SDP qw/ web_sdp ims_sdp /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(50);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(workers => 2,
    media => 'unix:%%TESTDIR%%/ng.sock',
    identity => 'tel:+1555010[0100-0100] impi=$number@ims.operator.example; '
        . 'sip:u[001-200]@acme.ims.operator.example '
        . 'impi=$user@ims.operator.example',
    pool => 'local_calls on;'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my ($zoe, $mary, $bob) = map {
    IMS::Browser->open(token => $jwt->token($_)) } qw/ zoe mary bob /;

is($_->register()->{code}, 200, 'registered') for $zoe, $mary, $bob;
$core->forget();

# a call, from one worker or the other

my $offer = web_sdp();
my $answer = web_sdp(setup => 'active');
my $sent = $mary->start('INVITE', to => $bob->{impu}, sdp_body($offer));
my $seen = $bob->expect('INVITE');

is($seen->{body}, $offer, 'the offer, untouched');
is(IMS::SIP::uri_of($seen->h('P-Asserted-Identity')), $mary->{impu}, 'PAI');
is(IMS::SIP::uri_of($seen->h('P-Called-Party-ID')), $bob->{impu}, 'called');
is($seen->h('P-Charging-Vector'), undef, 'no charging');
is($seen->h('Route'), undef, 'no Route');
is(scalar $seen->list('Via'), 1, 'one Via');

$bob->reply($seen, 180, 'Ringing', headers => [ Contact => $bob->contact() ]);
is($mary->expect('180')->{code}, 180, 'ringing');

my $said = $bob->reply($seen, 200, 'OK', headers => [
    Contact => $bob->contact(), 'Content-Type' => 'application/sdp' ],
    body => $answer);
my $ok = $mary->expect('200 INVITE');

is($ok->{body}, $answer, 'the answer, untouched');

my $web = $mary->dialog($sent, $ok, 1);
my $far = $bob->dialog($seen, $said, 0);

$mary->within($web, 'ACK');
is($bob->expect('ACK')->cseq(), 1, 'ACK');

# within it, both ways

$bob->within($far, 'INFO', headers => [ 'Info-Package' => 'x' ]);
my $info = $mary->expect('INFO');
is($info->h('Info-Package'), 'x', 'INFO to the caller');
$mary->reply($info, 200, 'OK');
is($bob->final('INFO')->{code}, 200, 'and its answer');

$mary->within($web, 'INVITE', sdp_body($answer));
my $again = $bob->expect('INVITE');
is($again->{body}, $answer, 're-INVITE, untouched');
$bob->reply($again, 200, 'OK', headers => [ Contact => $bob->contact(),
    'Content-Type' => 'application/sdp' ], body => $offer);
is($mary->final('INVITE')->{body}, $offer, 'and its answer');
$mary->within($web, 'ACK', cseq => $web->{invite});
ok($bob->expect('ACK'), 'its ACK');

is(hang_up($mary, $web, $bob), 200, 'BYE');
is(scalar @{$core->{queue}}, 0, 'the core saw nothing of it');
is($ng->seen('offer'), 0, 'nor did the helper');

# the other end hangs up; refused; cancelled

sub ring {
    my ($from, $to, %o) = @_;
    my $invite = $from->start('INVITE', to => $to->{impu}, sdp_body($offer),
        %o);
    my $rings = $to->expect('INVITE');
    $to->reply($rings, 180, 'Ringing', headers => [
        Contact => $to->contact() ]);
    $from->expect('180');
    return ($invite, $rings);
}

my ($out, $in) = ring($bob, $mary);
$mary->reply($in, 486, 'Busy Here');
is($bob->final('INVITE')->{code}, 486, 'busy');

($out, $in) = ring($bob, $mary);
$bob->same_hop($out, 'CANCEL');
ok($mary->expect('CANCEL'), 'CANCEL');
$mary->reply($in, 487, 'Request Terminated');
is($bob->final('INVITE')->{code}, 487, 'and 487');

($out, $in) = ring($bob, $mary);
my $yes = $mary->reply($in, 200, 'OK', headers => [
    Contact => $mary->contact(), 'Content-Type' => 'application/sdp' ],
    body => $answer);
$ok = $bob->expect('200 INVITE');
$web = $bob->dialog($out, $ok, 1);
$far = $mary->dialog($in, $yes, 0);
$bob->within($web, 'ACK');
$mary->expect('ACK');
is(hang_up($mary, $far, $bob), 200, 'the called hangs up');

# MESSAGE

$mary->start('MESSAGE', to => $bob->{impu}, body => 'hello',
    headers => [ 'Content-Type' => 'text/plain' ]);
$seen = $bob->expect('MESSAGE');
is($seen->{body}, 'hello', 'MESSAGE');
$bob->reply($seen, 200, 'OK');
is($mary->final('MESSAGE')->{code}, 200, 'and its answer');

# who is not here is the core's affair

$mary->start('INVITE', to => 'sip:u150@acme.ims.operator.example',
    sdp_body($offer));
$seen = $core->expect('INVITE');
is($seen->{uri}, 'sip:u150@acme.ims.operator.example',
    'an identity without a browser: the core');
$core->reply($seen, 480, 'Temporarily Unavailable');
is($mary->final('INVITE')->{code}, 480, 'which says so');

# anonymous

($out, $in) = ring($mary, $bob, headers => [ Privacy => 'id',
    'Content-Type' => 'application/sdp' ], body => $offer);
is($in->h('P-Asserted-Identity'), undef, 'Privacy: id');
unlike($in->{raw}, qr/\Q$mary->{impu}\E/, 'nobody knows who');
$bob->reply($in, 603, 'Decline');
is($mary->final('INVITE')->{code}, 603, 'declined');

# a second browser: both ring, the other is told who answered

my $tab = IMS::Browser->open(token => $jwt->token('bob'));
is($tab->register()->{code}, 200, 'a second browser');
is($tab->{impu}, $bob->{impu}, 'of the same user');

$sent = $mary->start('INVITE', to => $bob->{impu}, sdp_body($offer));
my ($one, $two) = map { $_->expect('INVITE') } $bob, $tab;
is($_->{body}, $offer, 'it rings there') for $one, $two;

$bob->reply($one, 180, 'Ringing', headers => [ Contact => $bob->contact() ]);
ok($mary->expect('180'), '180 of one');

$said = $tab->reply($two, 200, 'OK', headers => [ Contact => $tab->contact(),
    'Content-Type' => 'application/sdp' ], body => $answer);
$ok = $mary->expect('200 INVITE');
is($ok->{body}, $answer, '200 of the other');

$web = $mary->dialog($sent, $ok, 1);
$far = $tab->dialog($two, $said, 0);
$mary->within($web, 'ACK');
ok($tab->expect('ACK'), 'ACK');

my $cancel = $bob->expect('CANCEL');
like($cancel->h('Reason'), qr/elsewhere/, 'answered elsewhere');
$bob->reply($one, 487, 'Request Terminated');
is(hang_up($tab, $far, $mary), 200, 'BYE');

# both refuse: the better word

$sent = $mary->start('INVITE', to => $bob->{impu}, sdp_body($offer));
($one, $two) = map { $_->expect('INVITE') } $bob, $tab;
$bob->reply($one, 480, 'Temporarily Unavailable');
ok($mary->none('480', 0.2), 'one refusal is none');
$tab->reply($two, 486, 'Busy Here');
is($mary->final('INVITE')->{code}, 486, 'the better of two');

$sent = $mary->start('INVITE', to => $bob->{impu}, sdp_body($offer));
($one, $two) = map { $_->expect('INVITE') } $bob, $tab;

for ([ $bob, $one ], [ $tab, $two ]) {
    $_->[0]->reply($_->[1], 180, 'Ringing', headers => [
        Contact => $_->[0]->contact() ]);
    $mary->expect('180');
}

$mary->same_hop($sent, 'CANCEL');
is(($mary->expect('200 CANCEL'))->{code}, 200, 'CANCEL');

for ([ $bob, $one ], [ $tab, $two ]) {
    ok($_->[0]->expect('CANCEL'), 'to both');
    $_->[0]->reply($_->[1], 487, 'Request Terminated');
}

is($mary->final('INVITE')->{code}, 487, 'refused as asked');

# by a number

my ($number) = $zoe->{impu} =~ /^tel:(\+\d+)/;

for my $uri ("tel:$number", "tel:+1-555-" . substr($number, 5),
    "sip:$number\@ims.operator.example;user=phone")
{
    $mary->start('INVITE', to => $uri, sdp_body($offer));
    $seen = $zoe->expect('INVITE');
    is($seen->{body}, $offer, $uri);
    $zoe->reply($seen, 486, 'Busy Here');
    $mary->final('INVITE');
}

# a lost page: the other end hears of it

($out, $in) = ring($mary, $zoe);
$zoe->drop();
is($mary->final('INVITE')->{code}, 480, 'the called is gone');
