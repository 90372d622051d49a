#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Mary is called through the real core: what happens until the call is up or
# is not.

use warnings;
use strict;

use File::Basename qw(dirname);
use FindBin;
use Test::More;

use lib dirname(__FILE__);
use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/../lib",
    "$FindBin::Bin/../lib";

use Calls;
use IMS::SDP qw/ web_sdp /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(76);
my $calls = Calls->new($t);
my ($mary, $far) = @$calls{qw/ mary far /};
my @sdp = Calls::sdp_headers();
my ($sent, $seen, $answer, $r, $call);

sub called {
    my ($name, %o) = @_;

    $sent = $far->start('INVITE', to => $mary->{impu}, sdp => 1, %o);
    $seen = $mary->expect('INVITE');
    ok($seen, "$name: INVITE at the browser");
}

# she picks up; o: of reply(); ack: of the ACK

sub picks_up {
    my ($name, %o) = @_;
    my $ack = delete $o{ack} || {};

    $answer = $mary->reply($seen, 200, 'OK', tag => 'm', %o,
        headers => [ Contact => $mary->contact(),
            ($o{body} ? @sdp : ()) ]);
    $r = $far->final('INVITE');
    is($r->{code}, 200, "$name: 200");
    $call = { far => $far->dialog($sent, $r, 1),
        web => $mary->dialog($seen, $answer, 0) };
    $far->within($call->{far}, 'ACK', cseq => $sent->cseq(), %$ack);
    $r = $mary->expect('ACK');
    is($r->cseq(), $seen->cseq(), "$name: ACK");
}

sub refused {
    my ($name, $code) = @_;

    $r = $far->final('INVITE');
    is($r->{code}, $code, "$name: $code at the far end");
    $far->same_hop($sent, 'ACK', $r->h('To'));
    $calls->clean($name);
}

# as calls are

called('plain');
is($seen->h('From') =~ s/;tag.*//r, '<sip:alice@ims.operator.example>',
    'plain: From');
is(scalar(grep { defined } map { $seen->h($_) } 'P-Charging-Vector',
    'P-Access-Network-Info', 'Route'), 0,
    'plain: what is the core\'s is not shown');
is(scalar(my @rr = $seen->all('Record-Route')), 1, 'plain: one Record-Route');
like($seen->{body}, qr/SAVPF/, 'plain: offer');
$mary->reply($seen, 180, 'Ringing', tag => 'm',
    headers => [ Contact => $mary->contact() ]);
ok($far->expect('180'), 'plain: rings');
picks_up('plain', body => web_sdp(setup => 'active'));
$calls->hang_up('far', $call, 'plain');

# a browser that has early media

called('early');
$mary->reply($seen, 183, 'Session Progress', tag => 'm', headers => [
    Contact => $mary->contact(), @sdp ], body => web_sdp(setup => 'active'));
like($far->expect('183')->{body}, qr!RTP/AVP!, 'early: media');
picks_up('early', body => web_sdp(setup => 'active'));
$calls->hang_up('mary', $call, 'early');

# a caller that asks for reliable answers, of a browser that has none

called('reliable', headers => [ Require => '100rel', Supported => '100rel',
    'Content-Type' => 'application/sdp' ], sdp => undef, body => $far->sdp());
is($seen->h('Require'), undef, 'reliable: not asked of the browser');
$mary->reply($seen, 180, 'Ringing', tag => 'm',
    headers => [ Contact => $mary->contact() ]);
$r = $far->expect('180');
like($r->h('Require'), qr/100rel/, 'reliable: the portal says it so');

my $early = $far->dialog($sent, $r, 1);

$far->within($early, 'PRACK', headers => [ RAck => $r->h('RSeq')
    . ' 1 INVITE' ]);
is($far->final('PRACK')->{code}, 200, 'reliable: PRACK answered');
ok($mary->none('PRACK', 0.1), 'reliable: the browser hears nothing of it');
picks_up('reliable', body => web_sdp(setup => 'active'));
$call->{far}{cseq} = $early->{cseq};
$calls->hang_up('far', $call, 'reliable');

# the offer comes in the 200

called('late', sdp => undef);
is($seen->{body}, '', 'late: no SDP');
picks_up('late', body => web_sdp(), ack => {
    headers => [ @sdp ], body => $far->sdp() });
like($r->{body}, qr/SAVPF/, 'late: answer in the ACK');
$calls->hang_up('mary', $call, 'late');

# refused

for my $case ([ 486, 'Busy Here' ], [ 603, 'Decline' ],
    [ 480, 'Temporarily Unavailable' ])
{
    called($case->[0]);
    $mary->reply($seen, @$case);
    ok($mary->expect('ACK'), "$case->[0]: ACK");
    refused(@$case[0, 0]);
}

# cancelled: before it rings, when it rings

for my $ringing (0, 1) {
    my $name = $ringing ? 'CANCEL of ringing' : 'CANCEL';

    called($name);

    if ($ringing) {
        $mary->reply($seen, 180, 'Ringing', tag => 'm',
            headers => [ Contact => $mary->contact() ]);
        ok($far->expect('180'), "$name: rings");
    }

    $far->same_hop($sent, 'CANCEL');
    is($far->final('CANCEL')->{code}, 200, "$name: 200");

    # not before the browser has said something (RFC 3261 9.1)

    $mary->reply($seen, 180, 'Ringing', tag => 'm',
        headers => [ Contact => $mary->contact() ]) unless $ringing;
    $r = $mary->expect('CANCEL');
    ok($r, "$name: at the browser");
    $mary->reply($r, 200, 'OK');
    $mary->reply($seen, 487, 'Request Terminated', tag => 'm');
    refused($name, 487);
    ok($mary->expect('ACK'), "$name: ACK");
}

# picked up while it is cancelled

called('CANCEL crosses 200');
$mary->reply($seen, 180, 'Ringing', tag => 'm',
    headers => [ Contact => $mary->contact() ]);
$far->expect('180');
$mary->reply($seen, 200, 'OK', tag => 'm', headers => [
    Contact => $mary->contact(), @sdp ], body => web_sdp(setup => 'active'));
$far->same_hop($sent, 'CANCEL');
$r = $far->final('INVITE');
is($r->{code}, 200, 'CANCEL crosses 200: the 200 counts');
$call = { far => $far->dialog($sent, $r, 1) };
$far->within($call->{far}, 'ACK');
ok($mary->expect('ACK'), 'CANCEL crosses 200: ACK');
$calls->hang_up('far', $call, 'CANCEL crosses 200');

# two browsers of hers: both ring, one picks up

my $other = $calls->browser();

called('two browsers');
my $also = $other->expect('INVITE');
ok($also, 'two browsers: the other, too');
$other->reply($also, 180, 'Ringing', tag => 'o',
    headers => [ Contact => $other->contact() ]);
ok($far->expect('180'), 'two browsers: rings');
picks_up('two browsers', body => web_sdp(setup => 'active'));
$r = $other->expect('CANCEL');
ok($r, 'two browsers: CANCEL for the other');
$other->reply($r, 200, 'OK');
$other->reply($also, 487, 'Request Terminated', tag => 'o');
ok($other->expect('ACK'), 'two browsers: ACK for it');
$calls->hang_up('mary', $call, 'two browsers');
$other->register(expires => 0);
$other->close();

# she has gone

$calls->done();
$sent = $far->start('INVITE', to => $mary->{impu}, sdp => 1);
refused('gone', 480);

# subs hold them: the two tests of its own come now, not too late

undef $_ for $calls, $t;
