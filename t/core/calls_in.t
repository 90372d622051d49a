#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Within a call through the real core: hold, refreshes, digits, transfer, and
# timers that run out.

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

my $t = Test::Nginx->new()->has(qw/ http /)->plan(86);
my $calls = Calls->new($t,
    conf => { server => 'ims_portal_session_timer 4s min=2s;' });
my ($mary, $far) = @$calls{qw/ mary far /};
my @sdp = Calls::sdp_headers();
my ($r, $seen, $version);

# one end sends an offer in INVITE or UPDATE, the other answers; what each saw

sub offer {
    my ($call, $from, $method, $direction, $back, %o) = @_;
    my $web = $from eq 'mary';
    my ($who, $to) = $web ? ($mary, $far) : ($far, $mary);
    my ($mine, $its) = $web ? qw/ web far / : qw/ far web /;
    my $name = "$method of $from, $direction";
    my %sdp = (version => 3 + ++$version);
    my @body = (headers => [ @sdp, @{$o{headers} || []} ], body => $web
        ? web_sdp(%sdp, direction => $direction)
        : $far->sdp(%sdp, direction => $direction));

    $who->within($call->{$mine}, $method, @body);
    my $offer = $to->expect($method);
    like($offer->{body}, qr/^a=$direction\r$/m, "$name: offer");

    $to->reply($offer, 200, 'OK', headers => [ Contact => $to->contact(),
        @sdp ], body => $web ? $far->sdp(%sdp, direction => $back)
        : web_sdp(%sdp, direction => $back, setup => 'active'));
    my $answer = $who->final($method);
    is($answer->{code}, 200, "$name: 200");
    like($answer->{body}, qr/^a=$back\r$/m, "$name: answer");

    return $offer unless $method eq 'INVITE';

    $who->within($call->{$mine}, 'ACK', cseq => $call->{$mine}{cseq});
    is($to->expect('ACK')->cseq(), $offer->cseq(), "$name: ACK");

    return $offer;
}

# a request without SDP

sub ask {
    my ($call, $from, $method, $name, %o) = @_;
    my $web = $from eq 'mary';
    my ($who, $to) = $web ? ($mary, $far) : ($far, $mary);

    $who->within($call->{$web ? 'web' : 'far'}, $method, %o);
    $seen = $to->expect($method);
    ok($seen, "$name: $method of $from");
    $to->reply($seen, $method eq 'REFER' ? (202, 'Accepted') : (200, 'OK'),
        headers => [ Contact => $to->contact() ]);
    $r = $who->final($method);

    return $r->{code};
}

# a call of either side: hold and back, from both, by INVITE and by UPDATE

for my $caller ('mary', 'far') {
    my $call = $caller eq 'mary' ? $calls->call_up()
        : $calls->call_down(answer => [
            Allow => 'INVITE, ACK, BYE, CANCEL, UPDATE' ]);

    offer($call, 'far', 'INVITE', 'sendonly', 'recvonly');
    offer($call, 'far', 'INVITE', 'sendrecv', 'sendrecv');
    offer($call, 'mary', 'INVITE', 'sendonly', 'recvonly');
    offer($call, 'far', 'UPDATE', 'inactive', 'inactive');
    offer($call, 'mary', 'UPDATE', 'sendrecv', 'sendrecv');

    # both at once

    $mary->within($call->{web}, 'INVITE', headers => [ @sdp ],
        body => web_sdp(version => 30));
    $seen = $far->expect('INVITE');
    $far->within($call->{far}, 'INVITE', headers => [ @sdp ],
        body => $far->sdp(version => 30));
    $mary->reply($mary->expect('INVITE'), 491, 'Request Pending');
    $r = $far->final('INVITE');
    is($r->{code}, 491, "call of $caller, crossing INVITEs: 491");
    $far->within($call->{far}, 'ACK', cseq => $r->cseq());
    $far->reply($seen, 491, 'Request Pending');
    $r = $mary->final('INVITE');
    is($r->{code}, 491, "call of $caller, crossing INVITEs: 491 twice");

    is(ask($call, 'far', 'INFO', 'INFO', headers => [
        'Content-Type' => 'application/dtmf-relay' ],
        body => "Signal=1\r\nDuration=100\r\n"), 200, 'INFO: 200');
    $mary->forget();
    $far->forget();
    $calls->hang_up($caller, $call, "call of $caller");
}

# a transfer: REFER within the call, and what becomes of it

my $call = $calls->call_up();

is(ask($call, 'mary', 'REFER', 'transfer', headers => [
    'Refer-To' => '<sip:9198@ims.operator.example>',
    'Referred-By' => '<sip:boss@ims.operator.example>' ]), 202,
    'transfer: 202');
is($seen->h('Refer-To'), '<sip:9198@ims.operator.example>',
    'transfer: to whom');
is($seen->h('Referred-By'), "<$mary->{impu}>", 'transfer: by Mary');

for my $state ('active;expires=60', 'terminated;reason=noresource') {
    is(ask($call, 'far', 'NOTIFY', "transfer, $state", headers => [
        Event => 'refer', 'Subscription-State' => $state,
        'Content-Type' => 'message/sipfrag;version=2.0' ],
        body => 'SIP/2.0 ' . ($state =~ /^a/ ? '100 Trying' : '200 OK')
            . "\r\n"), 200, 'transfer: NOTIFY');
    like($seen->{body}, qr!^SIP/2.0 [12]00 !, 'transfer: how it goes');
}

$calls->hang_up('far', $call, 'transfer');

# session timers: the far end refreshes

sub session {
    my ($expires) = @_;

    return (headers => [ Supported => 'timer' ], answer => [
        Require => 'timer', 'Session-Expires' => $expires,
        Allow => 'INVITE, ACK, BYE, CANCEL, UPDATE' ]);
}

$call = $calls->call_up(session('3;refresher=uas'));

for my $n (1, 2) {
    IMS::Loop::pause(1.5);
    is(ask($call, 'far', 'UPDATE', "refresh $n", headers => [
        Supported => 'timer', 'Session-Expires' => '3;refresher=uac' ]), 200,
        "refresh $n: 200");
}

$calls->hang_up('mary', $call, 'refreshed');

# and does not: the portal hangs up both ways

$call = $calls->call_up(session('2;refresher=uas'));
$r = $far->expect('BYE', 4);
like($r->h('Reason'), qr/timer|expired|cause=408/i, 'no refresh: BYE there');
$far->reply($r, 200, 'OK');
$r = $mary->expect('BYE');
like($r->h('Reason'), qr/timer|expired|cause=408/i, 'no refresh: BYE here');
$mary->reply($r, 200, 'OK');
$calls->clean('no refresh');

# neither end knows them: the portal asks the far end, and nobody answers

$call = $calls->call_up();
$r = $far->expect('UPDATE', 5);
like($r->h('Session-Expires'), qr/;refresher=uac/, 'UPDATE of the portal');
$far->reply($r, 481, 'Call/Transaction Does Not Exist');
$r = $mary->expect('BYE');
ok($r, '481: BYE here');
$mary->reply($r, 200, 'OK');
$calls->clean('481');

$calls->done();
