#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The SIP core that the other tests and the demo run against: does it demand of
# an edge what a real IMS core demands?

use warnings;
use strict;

use Test::More;
use File::Basename qw(dirname);
use Time::HiRes qw(sleep);

use lib dirname(__FILE__);
use Edge;

my $core = Edge->new();
my ($edge, $farend, $stranger) = @$core{'edge', 'farend', 'stranger'};
my ($home, $block, $sport) = @$core{'home', 'block', 'sport'};
my ($ep, $fp) = ($edge->sockport(), $farend->sockport());

*status = \&Edge::status;
*reason = \&Edge::reason;
*header = \&Edge::header;
*receive = \&Edge::receive;

sub register { return $core->register(@_) }
sub ask { return $core->ask(@_) }

# what the I-CSCF and the HSS look at

my $r = register('u001', 'P-Visited-Network-ID' => undef);
is(status($r), 400, 'no P-Visited-Network-ID');
is(reason($r), 'Bad Request - P-Visited-Network-ID header missing',
    'its reason');

$r = register('u001', Authorization => $core->trusted("x\@$home"));
is(status($r), 403, 'IMPI of someone else');
is(reason($r), q{Forbidden - HSS Identities don't match}, 'its reason');
is(status(register('u001', Authorization => $core->trusted('acme'))), 403,
    'IMPI without @');
is(status(register('u001', Authorization => undef)), 403, 'no IMPI');

$r = register('nobody');
is(status($r), 403, 'unknown IMPU');
like(reason($r), qr/User Unknown|Identity Unknown/, 'its reason');

$r = register('barred', Authorization => $core->trusted("barred\@$home"));
is(status($r), 403, 'barred IMPU');
is(reason($r), 'Forbidden - HSS Authorization Rejected', 'its reason');

# what the S-CSCF looks at

is(status(register('u001', 'P-Charging-Vector' => undef)), 400,
    'no P-Charging-Vector');

$r = register('u001', Path => undef);
is(status($r), 421, 'no Path');
is(header($r, 'Require'), 'path', 'its Require');

is(status(register('u001', Require => undef)), 400, 'no Require: path');
is(status(register('u001', _sock => $stranger)), 401,
    'auth-done from a stranger');
is(scalar $core->core('contacts'), 0, 'nothing was bound');

$r = register('u001', Path => "<sip:x\@127.0.0.1:$ep>");
is(status($r), 500, 'Path without lr');
is(header($r, 'P-Registrar-Error'), 'SAR failed', 'its P-Registrar-Error');

$r = register('u003', Supported => 'outbound');
is(status($r), 420, 'no Supported: path');
is(header($r, 'Unsupported'), 'path', 'its Unsupported');
is(join(' ', map { (split)[0] } $core->core('contacts')),
    "sip:u003\@$block", 'but it is bound');
register('u003', Expires => 0);

# as it should be

$r = register('u001');
is(status($r), 200, 'good REGISTER');
is(header($r, 'Service-Route'), "<sip:orig\@127.0.0.1:$sport;lr>",
    'Service-Route');
is(header($r, 'P-Associated-URI'), "<sip:u001\@$block>", 'P-Associated-URI');
is(header($r, 'Path'), "<sip:tokenu001\@127.0.0.1:$ep;lr;ob>", 'Path');
like(header($r, 'Contact'),
    qr/^<sip:u001\.binding\@127\.0\.0\.1:$ep>;expires=540$/,
    'ten percent less');

$r = register('u001', Expires => undef,
    Contact => "<sip:u001.binding\@127.0.0.1:$ep>;expires=100;x=y");
like(header($r, 'Contact'), qr/;expires=90\b/, 'expires as a parameter');

my @contacts = $core->core('contacts');
is(@contacts, 1, 'the key is the URI alone');
like($contacts[0],
    qr/^sip:u001\@\Q$block\E sip:u001\.binding\@\S+ \d+ <sip:tokenu001/,
    'the listing');
is(join(' ', $core->core('list')),
    "sip:u001\@$block acme-pool-1\@$home sip:127.0.0.1:$sport",
    'what the HSS has');

$r = register('u002');
is(header($r, 'P-Associated-URI'),
    "<sip:u002\@$block>, <tel:+15550100002>", 'a set with a tel:');

# originating

my %good = $core->good();

is(status(ask($edge, 'INVITE', "sip:9197\@$home", %good,
    Route => "<sip:127.0.0.1:$sport;lr>")), 403,
    'INVITE not by the Service-Route');
is(status(ask($edge, 'INVITE', "sip:9197\@$home", %good,
    'P-Asserted-Identity' => undef)), 403, 'no P-Asserted-Identity');
is(status(ask($edge, 'INVITE', "sip:9197\@$home", %good,
    'P-Asserted-Identity' => "<sip:u009\@$block>")), 403,
    'P-Asserted-Identity not registered');
is(status(ask($edge, 'INVITE', "sip:9197\@$home", %good,
    'P-Charging-Vector' => undef)), 400, 'no P-Charging-Vector');
is(status(ask($edge, 'INVITE', "sip:9197\@$home", %good,
    'P-Preferred-Identity' => "<sip:u001\@$block>")), 400,
    'leaked P-Preferred-Identity');
is(status(ask($stranger, 'INVITE', "sip:9197\@$home", %good)), 403,
    'INVITE of a stranger');
is(status(ask($edge, 'INVITE', "sip:1234\@$home", %good)), 404,
    'unknown number');
is(status(ask($edge, 'INVITE', "sip:u009\@$block", %good)), 480,
    'known, not registered');

my $invite = $core->request($edge, 'INVITE', "sip:9197\@$home", %good);
$core->send_to_core($edge, $invite);
is(status(receive($edge, qr/^SIP/)), 100, '100 at once');
$r = receive($farend, qr/^INVITE /);
like($r, qr/^INVITE sip:9197\@\Q$home\E SIP/, 'INVITE at the far end');
is(() = $r =~ /^Record-Route:/mig, 2, 'record-routed twice');
like($r, qr/^Record-Route: <sip:127\.0\.0\.1:$sport;lr=on>/mi, 'lr=on');
unlike($r, qr/^P-Charging-Vector/mi, 'charging stays inside');

# a dialog in both directions

my $rr = header($r, 'Record-Route');
my $up = join ', ', reverse split /, /, $rr;

$core->answer($farend, $r, '200 OK', _tag => 'far',
    Contact => "<sip:9197\@127.0.0.1:$fp>");
$r = receive($edge, qr/^SIP\/2.0 200/);
is(status($r), 200, '200 at the edge');

my ($from, $cid) = (header($r, 'From'), header($r, 'Call-ID'));

$core->send_to_core($edge, $core->request($edge, 'ACK',
    "sip:9197\@127.0.0.1:$fp", From => $from, 'Call-ID' => $cid,
    To => "<sip:9197\@$home>;tag=far", Route => $up));
like(receive($farend, qr/^ACK /), qr/^ACK sip:9197/, 'ACK at the far end');

$core->send_to_core($farend, $core->request($farend, 'BYE',
    "sip:c\@127.0.0.1:$ep", From => "<sip:9197\@$home>;tag=far",
    To => $from, 'Call-ID' => $cid, Route => $rr));
$r = receive($edge, qr/^BYE /);
like($r, qr/^BYE sip:c\@/, 'BYE at the edge');
$core->answer($edge, $r, '200 OK');
is(status(receive($farend, qr/^SIP.*BYE\r/ms)), 200, 'its 200');

# a call given up: CANCEL has the INVITE's branch

$invite = $core->request($edge, 'INVITE', "sip:9197\@$home", %good);
$core->send_to_core($edge, $invite);
$r = receive($farend, qr/^INVITE /);
$core->answer($farend, $r, '180 Ringing', _tag => 'far2');
is(status(receive($edge, qr/^SIP\/2.0 180/)), 180, '180 at the edge');

my $cancel = $invite =~ s/^INVITE/CANCEL/r;
$cancel =~ s/^(CSeq: .*)INVITE/$1CANCEL/m;
$cancel =~ s/^(P-|Contact).*?\r\n//mg;
$core->send_to_core($edge, $cancel);
is(status(receive($edge, qr/^SIP.*CANCEL\r/ms)), 200, '200 for the CANCEL');
like(receive($farend, qr/^CANCEL /), qr/^CANCEL sip:9197/,
    'CANCEL at the far end');
$core->answer($farend, $r, '487 Terminated', _tag => 'far2');
is(status(receive($edge, qr/^SIP\/2.0 [2-6].*INVITE\r/ms)), 487,
    '487 at the edge');

# terminating

$core->send_to_core($farend, $core->request($farend, 'INVITE',
    "sip:u001\@$block", From => "\"Alice\" <sip:alice\@$home>;tag=a1",
    Privacy => 'id', Contact => "<sip:alice\@127.0.0.1:$fp>"));
$r = receive($edge, qr/^INVITE /);
like($r, qr/^INVITE sip:u001\.binding\@127\.0\.0\.1:$ep SIP/,
    'Request-URI is the Contact');
is(header($r, 'Route'), "<sip:tokenu001\@127.0.0.1:$ep;lr;ob>",
    'Route is the Path');
is(header($r, 'P-Called-Party-ID'), "<sip:u001\@$block>",
    'P-Called-Party-ID');
is(header($r, 'P-Asserted-Identity'), "<sip:alice\@$home>",
    'P-Asserted-Identity of the caller');
like(header($r, 'P-Charging-Vector'), qr/icid-value=/, 'P-Charging-Vector');
is(header($r, 'Privacy'), 'id', 'Privacy is passed on');
is(() = $r =~ /^Record-Route:/mig, 2, 'record-routed twice, downwards');
cmp_ok(() = $r =~ /^Via:/mig, '>=', 4, 'several Vias');

$core->answer($edge, $r, '486 Busy Here');
is(status(receive($farend, qr/^SIP\/2.0 [2-6]/)), 486, '486 to the caller');

# an edge that says nothing is given up after four seconds

my $start = time();
is(status(ask($farend, 'OPTIONS', "sip:u002\@$block",
    From => "<sip:alice\@$home>;tag=a3")), 408, '408 from a silent edge');
cmp_ok(time() - $start, '<=', 5, 'soon');

# from one user of the block to another, by his number

$core->send_to_core($edge, $core->request($edge, 'MESSAGE',
    'tel:+15550100002', %good, To => '<tel:+15550100002>',
    'Content-Type' => 'text/plain', _body => 'hello'));
$r = receive($edge, qr/^MESSAGE /);
like($r, qr/^MESSAGE sip:u002\.binding.*hello$/s, 'MESSAGE to a tel:');
is(header($r, 'P-Called-Party-ID'), "<sip:u002\@$block>",
    'its P-Called-Party-ID');
$core->answer($edge, $r, '200 OK');
is(status(receive($edge, qr/^SIP.*MESSAGE\r/ms)), 200, 'its 200');

# two contacts: both are tried

$r = register('u001', Contact => "<sip:u001.second\@127.0.0.1:$ep>");
is(scalar $core->core('contacts'), 3, 'two contacts');
$core->send_to_core($farend, $core->request($farend, 'MESSAGE',
    "sip:u001\@$block", From => "<sip:alice\@$home>;tag=a5"));
my @fork = map { receive($edge, qr/^MESSAGE /) } 1, 2;
is(join(' ', sort map { /^MESSAGE sip:u001\.(\w+)/ } @fork),
    'binding second', 'forked');
$core->answer($edge, $_, '200 OK') for @fork;

# gone

register('u001', Expires => 0,
    Contact => "<sip:u001.second\@127.0.0.1:$ep>");
is(scalar(grep { /u001/ } $core->core('contacts')), 1, 'one is left');
$r = register('u001', Expires => 0);
is(status($r), 200, 'de-registration');
register('u002', Expires => 0, Contact => '*');
is(scalar $core->core('contacts'), 0, 'all are gone');
is(scalar $core->core('list'), 0, 'from the HSS, too');
is(status(ask($farend, 'INVITE', "sip:u001\@$block",
    From => "<sip:alice\@$home>;tag=a2")), 480, '480 afterwards');

# the record of an identity goes away within a second or two

$r = '';

for (1 .. 10) {
    $r = status(ask($edge, 'MESSAGE', "sip:1234\@$home", %good));
    last if $r eq 403;
    sleep 0.5;
}

is($r, 403, '403 for its own');

done_testing();
