#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A request too long for a datagram goes by TCP (RFC 3261 18.1.1), by UDP after
# all where TCP is refused; received and rport (RFC 3581).

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IO::Select;
use IO::Socket::INET;
use Test::Nginx qw/ port /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(21);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    listen_ims => '127.0.0.1:%%PORT_8980_UDP%% udp',
    server_ims => '127.0.0.1:%%PORT_8981%% transport=udp fail_timeout=1s',
    core => 'listen 127.0.0.1:%%PORT_8982%% tcp;'));
$t->run();

my $core = IMS::Core->new(transport => 'tcp', both => 1,
    portal => port(8982))->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));
my $udp = '127.0.0.1:' . port(8980, udp => 1);
my $tcp = '127.0.0.1:' . port(8982);

is($mary->register()->{code}, 200, 'registered');

# the route of the core must not say TCP here

$core->{transport} = 'udp';
delete $core->{registered};
$mary->close();
$mary = IMS::Browser->open(token => $jwt->token('bob'));
$mary->register();

sub message {
    my ($len) = @_;

    $mary->start('MESSAGE', body => 'm' x $len);
    my $msg = $core->expect('MESSAGE');
    $core->reply($msg, 200, 'OK') if $msg;

    return ($msg, $mary->final('MESSAGE')->{code});
}

my ($msg, $code) = message(100);
like($msg->h('Via'), qr!^SIP/2\.0/UDP \Q$udp\E;!, 'a short one by UDP');
is($code, 200, 'answered');

($msg, $code) = message(1200);
like($msg->h('Via'), qr!^SIP/2\.0/TCP \Q$tcp\E;!, 'a long one by TCP');
ok(ref $msg->{from} eq 'IMS::Stream', 'it came that way');
is($code, 200, 'answered');

# what belongs to an INVITE goes the same way

$mary->start('INVITE', body => '', headers => [ 'X-Long' => 'x' x 1300 ]);
my $invite = $core->expect('INVITE');
like($invite->h('Via'), qr!^SIP/2\.0/TCP!, 'a long INVITE by TCP');
$core->reply($invite, 486, 'Busy Here');
my $ack = $core->expect('ACK');
is($ack->h('Via'), $invite->h('Via'), 'and its ACK');
is($mary->final('INVITE')->{code}, 486, 'answered');

# nothing on the way has a small buffer (P16)

($msg, $code) = message(50000);
is($msg && $msg->{body}, 'm' x 50000, 'fifty kilobytes, whole');
is($code, 200, 'answered');

$mary->start('INVITE', body => '', headers => [ 'X-Long' => 'x' x 5000 ]);
$invite = $core->expect('INVITE');
is($invite && $invite->h('X-Long'), 'x' x 5000, 'an INVITE, too');
$core->reply($invite, 486, 'Busy Here') if $invite;
$mary->final('INVITE');

# without TCP there

$core->down();
$core->{listen} = undef;

{
    no warnings 'redefine';
    local *IMS::Stream::listener = sub { undef };
    local $core->{both} = 0;
    $core->up();
}

my $again = $core->{again};

($msg, $code) = message(1400);
like($msg->h('Via'), qr!^SIP/2\.0/UDP!, 'by UDP when TCP is refused');
is($code, 200, 'answered');
($msg, $code) = message(1500);
is($code, 200, 'and the next at once');

my @refused = $t->read_file('error.log') =~ /could not be made/g;
is(scalar @refused, 1, 'without another try');

# RFC 3581, RFC 3261 18.2.1

sub options {
    my ($via) = @_;

    my $sock = IO::Socket::INET->new(Proto => 'udp',
        LocalAddr => '127.0.0.1', PeerAddr => $udp);

    $via =~ s/PORT/$sock->sockport()/e;
    $sock->send("OPTIONS sip:portal SIP/2.0\r\nVia: $via"
        . "\r\nFrom: <sip:a\@b>;tag=1\r\nTo: <sip:portal>\r\nCall-ID: "
        . IMS::SIP::unique('o') . "\r\nCSeq: 1 OPTIONS\r\n"
        . "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n");

    my $answer = '';
    IO::Select->new($sock)->can_read(2) and $sock->recv($answer, 65536);

    return ($answer =~ /^Via: ([^\r\n]*)/mi ? $1 : '', $sock->sockport());
}

my ($via, $port) = options(
    'SIP/2.0/UDP 10.1.2.3:7;rport;branch=z9hG4bK1 , SIP/2.0/UDP a;branch=b');
like($via, qr!^SIP/2\.0/UDP 10\.1\.2\.3:7;rport=$port;branch=z9hG4bK1!,
    'rport has a value');
like($via, qr/;received=127\.0\.0\.1 ?, ?SIP/, 'and received is there');

($via) = options('SIP/2.0/UDP name.example:PORT;branch=z9hG4bK2');
like($via, qr/;branch=z9hG4bK2;received=127\.0\.0\.1$/, 'received for a name');

($via) = options('SIP/2.0/UDP 127.0.0.1:PORT;branch=z9hG4bK3');
like($via, qr/;branch=z9hG4bK3$/, 'none for the address it came from');

($via) = options('SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK4');
is($via, '', 'without rport the answer goes to the port of the Via');

$mary->close();
