#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# What else the core does with registrations: SIP digest, the end that the
# network makes of them, barring, the wildcarded identity.

use warnings;
use strict;

use Test::More;
use File::Basename qw(dirname);
use MIME::Base64;
use Time::HiRes qw(sleep);

use lib dirname(__FILE__);
use Edge;
use Milenage;

my $core = Edge->new();
my ($edge, $farend, $stranger) = @$core{'edge', 'farend', 'stranger'};
my ($home, $block, $sport) = @$core{'home', 'block', 'sport'};
my $ep = $edge->sockport();

*status = \&Edge::status;
*header = \&Edge::header;
*receive = \&Edge::receive;

sub register { return $core->register(@_) }

# digest: no trust, whether the edge is known or not

my $impi = "bob\@$home";
my $r = register("bob\@$home", _sock => $stranger,
    Authorization => $core->digest($impi, 'bobs'));
is(status($r), 401, 'digest is asked for');
like(header($r, 'WWW-Authenticate'),
    qr/^Digest realm="\Q$home\E".*algorithm=MD5.*qop="auth"/, 'how');
is(status(register("bob\@$home", _sock => $stranger,
    Authorization => $core->digest($impi, 'wrong', $r))), 403,
    'wrong password');

$r = register("bob\@$home", _sock => $stranger,
    Authorization => $core->digest($impi, 'bobs'));
my $good = $core->digest($impi, 'bobs', $r);
is(status(register("bob\@$home", _sock => $stranger,
    Authorization => $good)), 200, 'right password');
is(status(register("bob\@$home", _sock => $stranger,
    Authorization => $good)), 401, 'a nonce serves once');

$r = register('u150', Authorization => $core->digest("acme-pool-2\@$home",
    'secret'));
is(status($r), 401, 'the known edge without the flag');
is(status(register('u150', Authorization => $core->digest(
    "acme-pool-2\@$home", 'secret', $r))), 200,
    'a digest line of the block');
is(status(register('u151',
    Authorization => $core->trusted("acme-pool-2\@$home"))), 200,
    'the second private identity of the block');
is(status(register('u050',
    Authorization => $core->trusted("acme-pool-2\@$home"))), 403,
    'which is not that of all of it');

# AKA: the challenge is the one of the card, which has its own sequence number

my @card = map { pack 'H*', $_ } '465b5ce8b199b49faa5f0a2ee238a6bc',
    'cd63cb71954a9f4e48a5994e37a02baf';

sub card {
    my ($challenge, $secret, %h) = @_;

    return register("card\@$home", Authorization => $core->digest(
        "card\@$home", $secret // '', $challenge,
        $challenge ? (algorithm => 'AKAv1-MD5') : (), %h));
}

sub rand_autn {
    my ($nonce) = $_[0] =~ /nonce="([^"]*)"/;
    return unpack 'a16 a16', decode_base64($nonce);
}

$r = card();
is(status($r), 401, 'a card is asked');
like(header($r, 'WWW-Authenticate'),
    qr/algorithm=AKAv1-MD5.*ck="[0-9a-f]{32}".*ik="[0-9a-f]{32}"/, 'by AKA');

my ($rand, $autn) = rand_autn($r);
my %key = Milenage::keys_of(@card, $rand, "\0" x 6, "\0\0");
my $sqn = substr($autn, 0, 6) ^ $key{ak};

%key = Milenage::keys_of(@card, $rand, $sqn, substr $autn, 6, 2);
is(unpack('H*', substr $autn, 8), unpack('H*', $key{mac_a}),
    'the network proves itself');

my $ahead = pack 'H*', '000000100000';

$r = card($r, '', auts => encode_base64(
    Milenage::auts(@card, $rand, $ahead), ''));
is(status($r), 401, 'the card is ahead');
($rand, $autn) = rand_autn($r);
%key = Milenage::keys_of(@card, $rand, "\0" x 6, "\0\0");
cmp_ok(substr($autn, 0, 6) ^ $key{ak}, 'gt', $ahead,
    'the network has caught up');
is(status(card($r, $key{res})), 200, 'the answer of the card');
is(status(card(card(), 'wrong')), 403, 'of another card');

# the reg event

sub watch {
    my ($user, %h) = @_;

    return $core->ask($edge, 'SUBSCRIBE', "sip:$user\@$block", $core->good(),
        To => "<sip:$user\@$block>",
        'P-Asserted-Identity' => "<sip:$user\@$block>",
        Contact => "<sip:watch$user\@127.0.0.1:$ep>",
        Event => 'reg', Accept => 'application/reginfo+xml', Expires => 600,
        %h);
}

sub notify {
    my $n = receive($edge, qr/^NOTIFY /, 4);
    $core->answer($edge, $n, '200 OK') if $n;
    return $n;
}

register($_) for 'u001', 'u002', 'u003';
is(status(watch('u001', 'P-Asserted-Identity' => "<sip:u003\@$block>")), 403,
    'SUBSCRIBE for somebody else');
is(status(watch('u001')), 200, 'SUBSCRIBE');

$r = notify();
like($r, qr/^Subscription-State: active;expires=\d+\r/m, 'NOTIFY');
like($r, qr/version="2" state="full".*aor="sip:u001\@\Q$block\E"/s,
    'the first one');
like($r, qr/state="active".*event="registered".*<uri>sip:u001\.binding\@/s,
    'what it says');

is(status(watch('u002', Route => undef,
    'P-Asserted-Identity' => "<sip:tokenu002\@127.0.0.1:$ep>")), 200,
    'SUBSCRIBE by the I-CSCF with the Path for identity');
notify();

# the network ends registrations

is(join('', $core->core('rtr', "sip:u009\@$block")), '',
    'who is not registered');
isnt($?, 0, 'cannot be de-registered');
$core->core('rtr', "sip:u001\@$block", 'permanent');
is($?, 0, 'RTR');

$r = notify();
like($r, qr/<registration aor="sip:u001\@\S+" [^>]*state="terminated">\s*<\//,
    'ended, without its contacts');

$core->core('rtr', "sip:u002\@$block", 'new', 'rejected');
$r = notify();
like($r, qr/aor="sip:u002\@\S+" [^>]*state="terminated">.*
    state="terminated"\ event="rejected"><uri>sip:u002\.binding\@/sx,
    'ended, with its contacts');
my ($len, $body) = $r =~ /^Content-Length: (\d+).*?\r\n\r\n(.*)/ms;
is($len, length $body, 'of that length');

unlike(join(' ', $core->core('list')), qr/u001|u002|tel:/,
    'gone from the HSS');
unlike(join(' ', $core->core('contacts')), qr/u001|u002/,
    'and from the S-CSCF');
like(join(' ', $core->core('contacts')), qr/u003/, 'the others stay');

for (1 .. 10) {
    $r = status($core->ask($edge, 'MESSAGE', "sip:1234\@$home",
        $core->good()));
    last if $r eq 403;
    sleep 0.5;
}

is($r, 403, 'no more requests from it');

# barred from now on

$core->core('bar', "sip:u003\@$block");
is(status(register('u003')), 403, 'barred');
$core->core('unbar', "sip:u003\@$block");
is(status(register('u003')), 200, 'and again welcome');

# an implicit set, one identity of which is barred

$r = register("carol\@$home",
    Authorization => $core->trusted("carol\@$home"));
is(header($r, 'P-Associated-URI'), "<sip:carol\@$home>",
    'a barred identity is not listed');
is(status($core->ask($edge, 'INVITE', "sip:9197\@$home", $core->good(),
    'P-Asserted-Identity' => "<sip:carol.b\@$home>")), 403,
    'nor can it call');

# wildcarded: one registration for all desks

my $desks = "desk.$home";

$r = register("desk\@$desks", Authorization => $core->trusted("desk\@$home"));
is(header($r, 'P-Associated-URI'),
    "<sip:desk\@$desks>, <sip:desk!.*!\@$desks>", 'a wildcarded IMPU');

$core->send_to_core($edge, $core->request($edge, 'MESSAGE',
    "sip:9197\@$home", $core->good(),
    'P-Asserted-Identity' => "<sip:desk7\@$desks>"));
$r = receive($farend, qr/^MESSAGE .*desk7/s);
is(header($r, 'P-Asserted-Identity'), "<sip:desk7\@$desks>",
    'a desk that never registered sends');
$core->answer($farend, $r, '200 OK');
is(status(receive($edge, qr/^SIP.*MESSAGE\r/ms)), 200, 'its 200');

$core->send_to_core($farend, $core->request($farend, 'MESSAGE',
    "sip:desk8\@$desks", From => "<sip:alice\@$home>;tag=d1"));
$r = receive($edge, qr/^MESSAGE /);
like($r, qr/^MESSAGE sip:desk\.binding\@/, 'another one receives');
is(header($r, 'P-Called-Party-ID'), "<sip:desk8\@$desks>",
    'P-Called-Party-ID');
is(header($r, 'P-Profile-Key'), "<sip:desk!.*!\@$desks>", 'P-Profile-Key');
$core->answer($edge, $r, '200 OK');

is(status($core->ask($farend, 'MESSAGE', "sip:8\@$desks",
    From => "<sip:alice\@$home>;tag=d2")), 404, 'no desk');

done_testing();
