#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The core demands reliable provisional answers (RFC 3262) of a browser that
# does not know them: the portal gives them in its place.

use warnings;
use strict;

use FindBin;
use Test::More;
use Time::HiRes qw/ time /;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Call qw/ hang_up sdp_body /;
use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IMS::SDP qw/ web_sdp ims_sdp /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(62);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));
my @sdp = ('Content-Type' => 'application/sdp');

$mary->register();

# an INVITE that demands 100rel, at either end

sub invite {
    my (%o) = @_;

    my $sent = $core->terminating('INVITE', to => $mary->{impu},
        body => $o{body}, headers => [ ($o{body} ? @sdp : ()),
            Require => '100rel', Supported => 'timer' ]);

    return ($sent, $mary->expect('INVITE'));
}

sub says {
    my ($seen, $code, %o) = @_;

    return $mary->reply($seen, $code, 'From the page', tag => 'page',
        headers => [ Contact => $mary->contact(), ($o{body} ? @sdp : ()),
            @{$o{headers} || []} ], body => $o{body});
}

sub prack {
    my ($far, $answer, %o) = @_;

    $core->within($far, 'PRACK', headers => [
        RAck => ($o{rseq} || $answer->h('RSeq')) . ' ' . ($o{cseq} || 1)
            . ' INVITE', ($o{body} ? @sdp : ()) ], body => $o{body});

    return $core->final('PRACK');
}

my ($sent, $seen) = invite(body => ims_sdp());

is($seen->h('Require'), undef, 'nothing is required of the browser');
like(join(',', $seen->all('Supported')), qr/100rel/, 'but offered');
like(join(',', $seen->all('Supported')), qr/timer/, 'the rest is kept');

# repeated until it is acknowledged; what comes meanwhile waits

says($seen, 180);

my $first = $core->expect('180');

like($first->h('Require'), qr/100rel/, '180 is reliable');
like($first->h('RSeq'), qr/^[1-9]\d*$/, 'has a number');

my $far = $core->dialog($sent, $first, 1);
my $again = $core->{again};

ok(IMS::Loop::wait_for(sub { $core->{again} >= $again + 2 }), 'and again');

says($seen, 183, body => web_sdp(setup => 'active'));
ok($core->none('183', 0.2), 'the next one waits');

is(prack($far, $first, rseq => $first->h('RSeq') + 1)->{code}, 481,
    'PRACK of another number');
is(prack($far, $first, cseq => 9)->{code}, 481, 'of another INVITE');
is(prack($far, $first)->{code}, 200, 'PRACK');
ok($mary->none('PRACK', 0.1), 'none of it at the browser');

my $second = $core->expect('183');

is($second->h('RSeq'), $first->h('RSeq') + 1, 'the next one, next number');
like($second->{body}, qr!^s=answer1\r.*RTP/AVP!ms, 'its SDP');
my @numbers = $second->all('RSeq');
is(scalar @numbers, 1, 'once');
$again = $core->{again};
is(prack($far, $first)->{code}, 481, 'the first one again: no such');

# a 2xx waits for one with SDP

my $answer = says($seen, 200, body => web_sdp(setup => 'active'));

IMS::Loop::pause(0.1);
$mary->emit($answer->bytes());
ok($core->none('200 INVITE', 0.2), '200 waits, repeated or not');
is(prack($far, $second)->{code}, 200, 'PRACK');

my $ok = $core->expect('200 INVITE');

ok($ok, 'now it comes');
is($ok->h('RSeq'), undef, 'without a number');
$again = $core->{again};
IMS::Loop::pause(0.3);
is($core->{again}, $again, 'nothing is repeated');

my $web = $mary->dialog($seen, $answer, 0);

$core->within($far, 'ACK', cseq => 1);
ok($mary->expect('ACK'), 'ACK');
$core->within($far, 'INFO');
$mary->reply($mary->expect('INFO'), 200, 'OK');
is($core->final('INFO')->{code}, 200, 'INFO');
$mary->within($web, 'INFO');
$core->reply($core->expect('INFO'), 200, 'OK');
is($mary->final('INFO')->{code}, 200, 'INFO of the browser');
is(hang_up($core, $far, $mary), 200, 'BYE');
$ng->wait_for('delete', 1);

# a 2xx does not wait for one without SDP, whose PRACK comes behind it

($sent, $seen) = invite(body => ims_sdp());
says($seen, 180);
$first = $core->expect('180');
$answer = says($seen, 200, body => web_sdp(setup => 'active'));
$ok = $core->expect('200 INVITE');
ok($ok, '200 does not wait for a 180');
$far = $core->dialog($sent, $ok, 1);
is(prack($far, $first)->{code}, 200, 'late PRACK');
ok($mary->none('PRACK', 0.1), 'none of it at the browser');
$core->within($far, 'ACK', cseq => 1);
ok($mary->expect('ACK'), 'ACK');
is(hang_up($core, $far, $mary), 200, 'BYE');
$ng->wait_for('delete', 2);

# refused, canceled

for my $how ('refused', 'canceled') {
    ($sent, $seen) = invite(body => ims_sdp());
    says($seen, 180);
    $first = $core->expect('180');

    if ($how eq 'canceled') {
        $core->same_hop($sent, 'CANCEL');
        is($core->final('CANCEL')->{code}, 200, 'CANCEL');
        $mary->reply($mary->expect('CANCEL'), 200, 'OK');
        says($seen, 487);

    } else {
        says($seen, 486);
    }

    my $r = $core->final('INVITE');
    is($r->{code}, $how eq 'refused' ? 486 : 487, $how);
    $core->same_hop($sent, 'ACK', $r->h('To'));
    $again = $core->{again};
    IMS::Loop::pause(0.3);
    cmp_ok($core->{again}, '<=', $again + 1, 'the 180 is not repeated');
}

# nobody acknowledges: 504, and the browser is told

($sent, $seen) = invite(body => ims_sdp());
says($seen, 180);
$first = $core->expect('180');

my $r = $core->final('INVITE', 4);

is($r->{code}, 504, 'no PRACK: 504');
$core->same_hop($sent, 'ACK', $r->h('To'));

my $cancel = $mary->expect('CANCEL');

ok($cancel, 'CANCEL to the browser');
$mary->reply($cancel, 200, 'OK');
says($seen, 487);
ok($mary->expect('ACK'), 'ACK to its 487');

# the same when the browser has answered

($sent, $seen) = invite(body => ims_sdp());
says($seen, 183, body => web_sdp(setup => 'active'));
$first = $core->expect('183');
$answer = says($seen, 200, body => web_sdp(setup => 'active'));
$r = $core->final('INVITE', 4);
is($r->{code}, 504, 'no PRACK behind the 200: 504');
$core->same_hop($sent, 'ACK', $r->h('To'));
ok($mary->expect('ACK'), 'the browser gets an ACK');

my $bye = $mary->expect('BYE');

is($bye->tag('From'), $sent->tag('From'), 'and a BYE');
$mary->reply($bye, 200, 'OK');
$ng->wait_for('delete', 6);
is(scalar(my @deleted = $ng->seen('delete')), 6, 'each deleted once');

# an offer in the PRACK goes as UPDATE

for my $code (200, 405, 403) {
    ($sent, $seen) = invite(body => ims_sdp());
    says($seen, 183, body => web_sdp(setup => 'active'));
    $first = $core->expect('183');
    $far = $core->dialog($sent, $first, 1);
    $core->within($far, 'PRACK', headers => [
        RAck => $first->h('RSeq') . ' 1 INVITE', @sdp ],
        body => ims_sdp(version => 2));

    my $update = $mary->expect('UPDATE');

    is($update->cseq_method(), 'UPDATE', 'an UPDATE');
    is($update->h('RAck'), undef, 'no RAck');
    like($update->{body}, qr/SAVPF/, 'the offer of the PRACK');
    is(IMS::SIP::uri_of($update->h('Contact')),
        IMS::SIP::uri_of($core->contact()), 'a Contact');
    $mary->reply($update, $code, 'As you say', headers => [
        Contact => $mary->contact(), ($code == 200 ? @sdp : ()) ],
        body => $code == 200 ? web_sdp(version => 5) : '');
    $r = $core->final('PRACK');
    is($r->{code}, $code == 200 ? 200 : 488, "$code to it");
    is($r->{body} =~ m!RTP/AVP! ? 1 : 0, $code == 200 ? 1 : 0, 'answer');
    says($seen, 486);
    $core->same_hop($sent, 'ACK', $core->final('INVITE')->h('To'));
}

# a browser that knows 100rel does it itself

($sent, $seen) = invite(body => ims_sdp());
says($seen, 183, body => web_sdp(setup => 'active'),
    headers => [ Require => '100rel', RSeq => 33 ]);
$first = $core->expect('183');
is($first->h('RSeq'), 33, 'its own number');
$far = $core->dialog($sent, $first, 1);
$core->within($far, 'PRACK', headers => [ RAck => '33 1 INVITE' ]);
my $prack = $mary->expect('PRACK');
is($prack->h('RAck'), '33 1 INVITE', 'gets the PRACK');
$mary->reply($prack, 200, 'OK');
is($core->final('PRACK')->{code}, 200, 'and answers it');
says($seen, 486);
$core->same_hop($sent, 'ACK', $core->final('INVITE')->h('To'));

$mary->close();
