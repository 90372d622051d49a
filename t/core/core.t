#!/usr/bin/perl

# The SIP core that the other tests and the demo run against: does it demand
# of an edge what a real IMS core demands?  This script plays the edge and a
# far end by raw datagrams.

use warnings;
use strict;

use Test::More;
use IO::Select;
use IO::Socket::INET;
use File::Basename qw(dirname);
use File::Temp qw(tempdir);

my $core_script = dirname($0) . '/core';
my $home = 'ims.operator.example';
my $block = "acme.$home";
my $dir = tempdir('ims-core-XXXXXX', TMPDIR => 1, CLEANUP => 1);

my $edge = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1')
    or die "no socket: $!";
my $farend = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1')
    or die "no socket: $!";
my $stranger = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1')
    or die "no socket: $!";
my $free = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1')
    or die "no socket: $!";
my $port = $free->sockport();
close $free;

my ($ep, $fp) = ($edge->sockport(), $farend->sockport());
my $to_core = pack_sockaddr_in($port, inet_aton('127.0.0.1'));

chmod 0755, $dir;
$ENV{CORE} = "127.0.0.1:$port";
$ENV{EDGE} = "127.0.0.1:$ep";
$ENV{FAREND} = "127.0.0.1:$fp";
system($core_script, 'start', $dir) == 0
    or BAIL_OUT('the core does not start');

my $n = 0;

# one SIP request with given start line and header lines; a value of undef
# takes a default line away
sub request {
    my ($sock, $method, $uri, %h) = @_;
    my $me = '127.0.0.1:' . $sock->sockport();
    my $cseq = delete $h{_cseq} || 1;
    my $body = delete $h{_body} // '';

    $n++;

    my @lines = (
        ['Via', "SIP/2.0/UDP $me;branch=z9hG4bK$$.$n"],
        ['Max-Forwards', 70],
        ['From', "<sip:u001\@$block>;tag=f$n"],
        ['To', "<sip:u001\@$block>"],
        ['Call-ID', "$$.$n\@edge"],
        ['CSeq', "$cseq $method"],
    );

    for my $l (@lines) {
        $l->[1] = delete $h{$l->[0]} if exists $h{$l->[0]};
    }

    push @lines, map { [$_, $h{$_}] } sort grep { defined $h{$_} } keys %h;

    return "$method $uri SIP/2.0\r\n"
        . join('', map { "$_->[0]: $_->[1]\r\n" } @lines)
        . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
}

sub receive {
    my ($sock, $want, $seconds) = @_;
    my $s = IO::Select->new($sock);
    my $end = time() + ($seconds || 6);

    while (time() < $end) {
        next unless $s->can_read(0.2);
        $sock->recv(my $buf, 65535);
        return $buf if $buf =~ $want;
    }

    return '';
}

# sends and returns the final response
sub ask {
    my ($sock, @args) = @_;
    my $msg = request($sock, @args);
    my ($id) = $msg =~ /^Call-ID: (.*?)\r/m;

    $sock->send($msg, 0, $to_core);
    return receive($sock, qr{^SIP/2.0 [2-6].*^Call-ID: \Q$id\E\r}ms);
}

sub status {
    my ($msg) = @_;
    return $msg =~ /^SIP\/2.0 (\d+)/ ? $1 : 'no answer';
}

sub reason {
    my ($msg) = @_;
    return $msg =~ /^SIP\/2.0 \d+ (.*?)\r/ ? $1 : '';
}

sub header {
    my ($msg, $name) = @_;
    return join ', ', $msg =~ /^\Q$name\E: (.*?)\r$/mig;
}

sub authorization {
    my ($impi) = @_;
    return "Digest username=\"$impi\", realm=\"$home\", nonce=\"\", "
        . "uri=\"sip:$home\", response=\"\", "
        . 'integrity-protected="auth-done"';
}

# a REGISTER as it should be, changed by the arguments
sub register {
    my ($user, %h) = @_;
    my $sock = delete $h{_sock} || $edge;
    my $me = "127.0.0.1:$ep";

    return ask($sock, 'REGISTER', "sip:$home",
        From => "<sip:$user\@$block>;tag=r$n",
        To => "<sip:$user\@$block>",
        Contact => "<sip:$user.binding\@$me>",
        Expires => 600,
        Path => "<sip:token$user\@$me;lr;ob>",
        Supported => 'path, outbound',
        Require => 'path',
        'P-Visited-Network-ID' => '"corp.example"',
        'P-Charging-Vector' => 'icid-value=1234',
        Authorization => authorization("acme-pool-1\@$home"),
        %h);
}

sub contacts {
    my $out = `$core_script contacts $dir`;
    return [split /\n/, $out];
}

###############################################################################

# REGISTER

my $r = register('u001', 'P-Visited-Network-ID' => undef);
is(status($r), 400, 'no P-Visited-Network-ID');
is(reason($r), 'Bad Request - P-Visited-Network-ID header missing',
    'its reason');

is(status(register('u001', 'P-Charging-Vector' => undef)), 400,
    'no P-Charging-Vector');

$r = register('u001', Path => undef);
is(status($r), 421, 'no Path');
is(header($r, 'Require'), 'path', 'its Require');

is(status(register('u001', Path => "<sip:x\@127.0.0.1:$ep>")), 500,
    'Path without lr');

$r = register('u001', Supported => 'outbound');
is(status($r), 420, 'no Supported: path');
is(header($r, 'Unsupported'), 'path', 'its Unsupported');

is(status(register('u001', Require => undef)), 400, 'no Require: path');

is(status(register('u001', Authorization => authorization("x\@$home"))), 403,
    'IMPI of someone else');
is(status(register('u001', Authorization => authorization('acme'))), 403,
    'IMPI without @');
is(status(register('u001', Authorization => undef)), 403, 'no IMPI');
is(status(register('nobody')), 403, 'unknown IMPU');
is(status(register('u001', _sock => $stranger)), 401,
    'auth-done from a stranger');
is(scalar @{contacts()}, 0, 'nothing was bound');

$r = register('u001');
is(status($r), 200, 'good REGISTER');
is(header($r, 'Service-Route'), "<sip:orig\@127.0.0.1:$port;lr>",
    'Service-Route');
is(header($r, 'P-Associated-URI'), "<sip:u001\@$block>", 'P-Associated-URI');
is(header($r, 'Path'), "<sip:tokenu001\@127.0.0.1:$ep;lr;ob>", 'Path');
like(header($r, 'Contact'),
    qr/^<sip:u001\.binding\@127\.0\.0\.1:$ep>;expires=540$/,
    'ten percent less');

$r = register('u001', Expires => undef,
    Contact => "<sip:u001.binding\@127.0.0.1:$ep>;expires=100;x=y");
like(header($r, 'Contact'), qr/;expires=90\b/, 'expires as a parameter');
is(scalar @{contacts()}, 1, 'the key is the URI alone');
like(contacts()->[0],
    qr/^sip:u001\@\Q$block\E sip:u001\.binding\@\S+ \d+ <sip:tokenu001/,
    'the listing');

$r = register('u002');
is(header($r, 'P-Associated-URI'),
    "<sip:u002\@$block>, <tel:+15550100002>", 'a set with a tel:');

$r = register('u003', _sock => $stranger,
    Authorization => "Digest username=\"acme-pool-1\@$home\", "
    . "realm=\"$home\", nonce=\"\", uri=\"sip:$home\", response=\"\"");
is(status($r), 401, 'digest is asked for');

{
    use Digest::MD5 qw(md5_hex);
    my ($nonce) = $r =~ /nonce="([^"]*)"/;
    my $ha1 = md5_hex("acme-pool-1\@$home:$home:secret");
    my $ha2 = md5_hex("REGISTER:sip:$home");
    my $resp = md5_hex("$ha1:$nonce:00000001:abcd:auth:$ha2");
    my $a = "Digest username=\"acme-pool-1\@$home\", realm=\"$home\", "
        . "nonce=\"$nonce\", uri=\"sip:$home\", qop=auth, nc=00000001, "
        . 'cnonce="abcd", algorithm=MD5, response=';

    is(status(register('u003', _sock => $stranger,
        Authorization => $a . '"' . ('0' x 32) . '"')), 403,
        'digest, wrong password');
    is(status(register('u003', _sock => $stranger,
        Authorization => "$a\"$resp\"")), 200, 'digest, right password');
}

# originating

my %good = (
    Route => "<sip:orig\@127.0.0.1:$port;lr>",
    To => "<sip:9197\@$home>",
    'P-Asserted-Identity' => "<sip:u001\@$block>",
    'P-Charging-Vector' => 'icid-value=77',
    Contact => "<sip:c\@127.0.0.1:$ep>",
);

is(status(ask($edge, 'INVITE', "sip:9197\@$home", %good, Route => undef)),
    403, 'INVITE not by the Service-Route');
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

$edge->send(request($edge, 'INVITE', "sip:9197\@$home", %good), 0, $to_core);
$r = receive($farend, qr/^INVITE /);
like($r, qr/^INVITE sip:9197\@\Q$home\E SIP/, 'INVITE at the far end');
is(() = $r =~ /^Record-Route:/mig, 2, 'record-routed twice');
like($r, qr/^Record-Route: <sip:127\.0\.0\.1:$port;lr=on>/mi, 'lr=on');
unlike($r, qr/^P-Charging-Vector/mi, 'charging stays inside');

# a dialog in both directions

my $rr = join ', ', $r =~ /^Record-Route: (.*?)\r$/mig;
my $resp = $r =~ s/^INVITE.*?\r\n/SIP\/2.0 200 OK\r\n/sr;
$resp =~ s/^(To: .*?)\r/$1;tag=far\r/mi;
$resp =~ s/^Contact: .*?\r/Contact: <sip:9197\@127.0.0.1:$fp>\r/mi;
$farend->send($resp, 0, $to_core);
$r = receive($edge, qr/^SIP\/2.0 200/);
is(status($r), 200, '200 at the edge');

my ($from) = $r =~ /^From: (.*?)\r/mi;
my ($cid) = $r =~ /^Call-ID: (.*?)\r/mi;
my $up = join ', ', reverse split /, /, $rr;

$edge->send(request($edge, 'ACK', "sip:9197\@127.0.0.1:$fp",
    From => $from, To => "<sip:9197\@$home>;tag=far", 'Call-ID' => $cid,
    Route => $up), 0, $to_core);
like(receive($farend, qr/^ACK /), qr/^ACK sip:9197/, 'ACK at the far end');

$farend->send(request($farend, 'BYE', "sip:c\@127.0.0.1:$ep",
    From => "<sip:9197\@$home>;tag=far", To => $from, 'Call-ID' => $cid,
    Route => $rr), 0, $to_core);
$r = receive($edge, qr/^BYE /);
like($r, qr/^BYE sip:c\@/, 'BYE at the edge');
$edge->send($r =~ s/^BYE.*?\r\n/SIP\/2.0 200 OK\r\n/sr, 0, $to_core);
is(status(receive($farend, qr/^SIP.*BYE\r/ms)), 200, 'its 200');

# a call given up: CANCEL has the INVITE's branch

my $invite = request($edge, 'INVITE', "sip:9197\@$home", %good);
$edge->send($invite, 0, $to_core);
$r = receive($farend, qr/^INVITE /);
$resp = $r =~ s/^INVITE.*?\r\n/SIP\/2.0 180 Ringing\r\n/sr;
$resp =~ s/^(To: .*?)\r/$1;tag=far2\r/mi;
$farend->send($resp, 0, $to_core);
is(status(receive($edge, qr/^SIP\/2.0 180/)), 180, '180 at the edge');

my $cancel = $invite =~ s/^INVITE/CANCEL/r;
$cancel =~ s/^(CSeq: .*)INVITE/$1CANCEL/m;
$cancel =~ s/^(P-|Contact).*?\r\n//mg;
$edge->send($cancel, 0, $to_core);
is(status(receive($edge, qr/^SIP.*CANCEL\r/ms)), 200, '200 for the CANCEL');
like(receive($farend, qr/^CANCEL /), qr/^CANCEL sip:9197/,
    'CANCEL at the far end');
$farend->send($resp =~ s/^SIP.*?\r\n/SIP\/2.0 487 Terminated\r\n/sr, 0,
    $to_core);
is(status(receive($edge, qr/^SIP\/2.0 [2-6].*INVITE\r/ms)), 487,
    '487 at the edge');

# terminating

$farend->send(request($farend, 'INVITE', "sip:u001\@$block",
    From => "\"Alice\" <sip:alice\@$home>;tag=a1", Privacy => 'id',
    Contact => "<sip:alice\@127.0.0.1:$fp>"), 0, $to_core);
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

$resp = $r =~ s/^INVITE.*?\r\n/SIP\/2.0 486 Busy Here\r\n/sr;
$resp =~ s/^(To: .*?)\r/$1;tag=busy\r/mi;
$edge->send($resp, 0, $to_core);
is(status(receive($farend, qr/^SIP\/2.0 [2-6]/)), 486, '486 to the caller');

# from one user of the block to another, by his number

$edge->send(request($edge, 'MESSAGE', 'tel:+15550100002', %good,
    To => '<tel:+15550100002>', 'Content-Type' => 'text/plain',
    _body => 'hello'), 0, $to_core);
$r = receive($edge, qr/^MESSAGE /);
like($r, qr/^MESSAGE sip:u002\.binding.*hello$/s, 'MESSAGE to a tel:');
is(header($r, 'P-Called-Party-ID'), "<sip:u002\@$block>",
    'its P-Called-Party-ID');
$edge->send($r =~ s/^MESSAGE.*?\r\n/SIP\/2.0 200 OK\r\n/sr, 0, $to_core);
is(status(receive($edge, qr/^SIP.*MESSAGE\r/ms)), 200, 'its 200');

# gone

$r = register('u001', Expires => 0);
is(status($r), 200, 'de-registration');
$r = register('u002', Expires => undef, Contact => '*');
is(status($r), 400, 'Contact: * needs Expires: 0');
register('u002', Expires => 0, Contact => '*');
is(join(' ', map { (split)[0] } @{contacts()}), "sip:u003\@$block",
    'only the others are left');
is(status(ask($farend, 'INVITE', "sip:u001\@$block",
    From => "<sip:alice\@$home>;tag=a2")), 480, '480 afterwards');

done_testing();

END {
    my $rc = $?;
    system($core_script, 'stop', $dir) if defined $dir;
    $? = $rc;
}
