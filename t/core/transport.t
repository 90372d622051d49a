#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The core by TCP, TLS and IPv6, and two cores beside each other.

use warnings;
use strict;

use Test::More;
use File::Basename qw(dirname);
use IO::Socket::IP;
use IO::Socket::SSL;

use lib dirname(__FILE__);
use Edge;

*status = \&Edge::status;
*header = \&Edge::header;
*receive = \&Edge::receive;

# an edge that has a UDP and a TCP socket of one port

sub pair {
    my ($core) = @_;

    return IO::Socket::IP->new(LocalHost => $core->{host}, Listen => 8,
        LocalPort => $core->{edge}->sockport(), ReuseAddr => 1)
        || die "no socket: $!";
}

sub tcp {
    my ($core, $port) = @_;

    my $s = IO::Socket::IP->new(PeerHost => $core->{host}, PeerPort => $port)
        or die "no connection: $!";
    $s->autoflush(1);
    return $s;
}

# TCP: the edge connects, the core connects back to the Path

# nothing here may wait for ever

alarm(60);

my $core = Edge->new(TRANSPORT => 'tcp');
my ($home, $block, $sport) = @$core{'home', 'block', 'sport'};
my $ep = $core->{edge}->sockport();
my $listen = pair($core);
my $up = tcp($core, $core->{port});

my $r = $core->register('u001', _sock => $up, _proto => 'tcp',
    Path => "<sip:token\@127.0.0.1:$ep;transport=tcp;lr>");
is(status($r), 200, 'REGISTER by TCP');
is(header($r, 'Service-Route'),
    "<sip:orig\@127.0.0.1:$sport;transport=tcp;lr>", 'Service-Route');

$core->send_to_core($core->{farend}, $core->request($core->{farend},
    'MESSAGE', "sip:u001\@$block", From => "<sip:alice\@$home>;tag=a1",
    'Content-Type' => 'text/plain', _body => 'x' x 5000));
my $down = $listen->accept();
$r = receive($down, qr/^MESSAGE /);
like($r, qr/^MESSAGE sip:u001\.binding.*^Via: SIP\/2\.0\/TCP.*x{5000}$/ms,
    'a long MESSAGE by TCP');
$core->answer($down, $r, '200 OK');
is(status(receive($core->{farend}, qr/^SIP/)), 200, 'its 200');

my $orig = tcp($core, $sport);
my $invite = $core->request($orig, 'INVITE', "sip:9197\@$home",
    $core->good(_proto => 'tcp',
        Route => "<sip:orig\@127.0.0.1:$sport;transport=tcp;lr>",
        Contact => "<sip:c\@127.0.0.1:$ep;transport=tcp>"));
print $orig $invite;
$r = receive($core->{farend}, qr/^INVITE /);
like($r, qr/^Record-Route: <sip:127[^>]*;transport=tcp[^>]*>/mi,
    'record-routed for both transports');

my $rr = header($r, 'Record-Route');
$core->answer($core->{farend}, $r, '200 OK', _tag => 'far',
    Contact => '<sip:9197@127.0.0.1:' . $core->{farend}->sockport() . '>');
$r = receive($orig, qr/^SIP\/2.0 200/);
is(status($r), 200, '200 by TCP');

$core->send_to_core($core->{farend}, $core->request($core->{farend}, 'BYE',
    "sip:c\@127.0.0.1:$ep;transport=tcp", To => header($r, 'From'),
    From => "<sip:9197\@$home>;tag=far", 'Call-ID' => header($r, 'Call-ID'),
    Route => $rr));
like(receive($down, qr/^BYE /), qr/^BYE sip:c\@/, 'BYE by TCP');

# TLS: certificates of both sides are asked for

my $tls = Edge->new(TRANSPORT => 'tls');
my %cert = (SSL_ca_file => "$tls->{dir}/ca.pem",
    SSL_cert_file => "$tls->{dir}/client.pem",
    SSL_key_file => "$tls->{dir}/client.key");

$ep = $tls->{edge}->sockport();
$listen = pair($tls);

my $anonymous = IO::Socket::SSL->new(PeerHost => '127.0.0.1',
    PeerPort => $tls->{port}, SSL_ca_file => $cert{SSL_ca_file});
print $anonymous "\r\n\r\n" if $anonymous;
ok(!$anonymous || !defined readline $anonymous, 'no certificate, no TLS');

$up = IO::Socket::SSL->new(PeerHost => '127.0.0.1', PeerPort => $tls->{port},
    %cert) or die "no TLS: $SSL_ERROR";
$up->autoflush(1);
is($up->peer_certificate('cn'), 'core', 'certificate of the core');

$r = $tls->register('u001', _sock => $up, _proto => 'tls',
    Path => "<sip:token\@127.0.0.1:$ep;transport=tls;lr>");
is(status($r), 200, 'REGISTER by TLS');
is(header($r, 'Service-Route'),
    "<sip:orig\@127.0.0.1:$tls->{sport};transport=tls;lr>", 'Service-Route');

$tls->send_to_core($tls->{farend}, $tls->request($tls->{farend},
    'MESSAGE', "sip:u001\@$block", From => "<sip:alice\@$home>;tag=a1"));
$down = IO::Socket::SSL->start_SSL(scalar $listen->accept(),
    SSL_server => 1, SSL_verify_mode => SSL_VERIFY_PEER
    | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, %cert);
ok($down, 'the core has a certificate as a client') or diag($SSL_ERROR);
$r = receive($down, qr/^MESSAGE /);
like($r, qr/^MESSAGE sip:u001\.binding.*^Via: SIP\/2\.0\/TLS/ms,
    'MESSAGE by TLS');
$tls->answer($down, $r, '200 OK');
is(status(receive($tls->{farend}, qr/^SIP/)), 200, 'its 200');

# IPv6, with the far ends on IPv4

my $six = Edge->new(host => '::1');

$ep = $six->{edge}->sockport();
is(status($six->register('u001')), 200, 'REGISTER by IPv6');
$six->send_to_core($six->{edge}, $six->request($six->{edge}, 'INVITE',
    "sip:9197\@$home", $six->good()));
$r = receive($six->{farend}, qr/^INVITE /);
like($r, qr/^Record-Route: <sip:\[::1\]:/mi, 'INVITE by IPv6');
$rr = header($r, 'Record-Route');
$six->answer($six->{farend}, $r, '200 OK', _tag => 'far',
    Contact => '<sip:9197@127.0.0.1:' . $six->{farend}->sockport() . '>');
$r = receive($six->{edge}, qr/^SIP\/2.0 200/);
is(status($r), 200, 'its 200');

my $bye = $six->request($six->{farend}, 'BYE', "sip:c\@[::1]:$ep",
    To => header($r, 'From'), From => "<sip:9197\@$home>;tag=far",
    'Call-ID' => header($r, 'Call-ID'), Route => $rr);
$six->{farend}->send($bye, 0, Edge::address('127.0.0.1', $six->{port}));
like(receive($six->{edge}, qr/^BYE /), qr/^BYE sip:c\@\[::1\]/,
    'BYE by IPv6');

# several at once know nothing of each other

is(join(' ', map { scalar $_->core('contacts') } $core, $tls, $six),
    '1 1 1', 'three cores');

done_testing();
