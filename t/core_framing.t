#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The core's stream at its limits: the longest message and one byte more, heads
# without an end, lengths without sense, bytes one by one, thousands of messages
# at once; and growth of requests over IPv6.

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
use IMS::SIP;
use IO::Socket::IP;
use Test::Nginx qw/ port /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

plan(skip_all => 'no ::1 here')
    unless IO::Socket::IP->new(Listen => 1, LocalHost => '::1');

my $t = Test::Nginx->new()->has(qw/ http /)->plan(21);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    listen_ims => '[::1]:%%PORT_8980_UDP%% udp',
    server_ims => '[::1]:%%PORT_8981%% transport=udp fail_timeout=1s',
    core => 'listen [::1]:%%PORT_8982%% tcp; probe off;'));
$t->run();

my $core = IMS::Core->new(transport => 'tcp', both => 1, addr => '::1',
    portal => port(8982))->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));

$core->{transport} = 'udp';
is($mary->register()->{code}, 200, 'registered');

# RFC 3261 18.1.1

my $udp = '[::1]:' . port(8980, udp => 1);
my $tcp = '[::1]:' . port(8982);

for my $len (100, 1200) {
    $mary->start('MESSAGE', body => 'm' x $len);
    my $msg = $core->expect('MESSAGE');

    like($msg->h('Via'), $len < 1000 ? qr!^SIP/2\.0/UDP \Q$udp\E;!
        : qr!^SIP/2\.0/TCP \Q$tcp\E;!, "Via of $len bytes");
    is(length $msg->{body}, $len, 'whole');
    $core->reply($msg, 200, 'OK');
    is($mary->final('MESSAGE')->{code}, 200, 'answered');
}

# an OPTIONS of so many bytes, or with these lines, without Content-Length

sub options {
    my (%o) = @_;

    my $head = "OPTIONS sip:portal SIP/2.0\r\n"
        . 'Via: SIP/2.0/TCP [::1];branch=' . IMS::SIP::unique('z9hG4bK')
        . "\r\nFrom: <sip:a\@b>;tag=1\r\nTo: <sip:portal>\r\nCall-ID: "
        . IMS::SIP::unique('o') . "\r\nCSeq: 1 OPTIONS\r\n"
        . "Max-Forwards: 70\r\n" . ($o{lines} || '');

    return "$head\r\n" unless $o{size};

    my $body = $o{size} - length($head) - length("Content-Length: 12345\r\n\r\n");

    return sprintf "%sContent-Length: %05d\r\n\r\n%s", $head, $body,
        'b' x $body;
}

# the code of its answer, 0: none; and whether the connection is open then

sub answer {
    my ($bytes) = @_;
    my $conn = $core->dial();

    $conn->write($bytes);
    my $answer;
    IMS::Loop::wait_for(sub {
        ($answer ||= $core->final('OPTIONS', 0)) || $conn->{eof} }, 3);
    $answer ||= $core->final('OPTIONS', 0);
    IMS::Loop::wait_for(sub { $conn->{eof} }, 0.15);

    my $open = $conn->{eof} ? 'closed' : 'open';
    $conn->close() if $open eq 'open';

    return ($answer ? $answer->{code} : 0) . " $open";
}

is(answer(options(size => 65535)), '200 open', 'the longest message');
is(answer(options(size => 65536)), '400 closed', 'and one byte more');
is(answer(options(lines => "Content-Length: -1\r\n")), '400 closed',
    'less than nothing');
is(answer(options(lines => "Content-Length: 99999999999999999999\r\n")),
    '400 closed', 'more than a number');
is(answer(options(lines => "Content-Length: 0\r\nl: 7\r\n")), '400 closed',
    'two that differ');
is(answer(options(lines => "Content-Length: 0x10\r\n")), '400 closed',
    'no number');
is(answer(options(lines => "l : 0\r\nl: 0\r\n")), '200 open',
    'two that are the same');

# no end of it

my $flood = options();
$flood =~ s/\r\n\r\n\z/\r\n/;
is(answer($flood . "X-Flood: 0123456789\r\n" x 4000) =~ / closed/ ? 1 : 0, 1,
    'a head without an end');
is(answer('A' x 200000), '0 closed', 'a line without an end');

# byte by byte, with answers to pings between

my $conn = $core->dial();
my $slow = "\r\n\r\n" . options(lines => "Content-Length: 3\r\n") . 'abc';

$conn->write($_) for split //, $slow;
is($core->expect('200 OPTIONS')->{code}, 200, 'byte by byte');
ok(IMS::Loop::wait_for(sub { $conn->{crlf} == 1 }), 'a ping before it');

# thousands at once: all are answered, nobody else has to wait

my $count = 5000;
my @many = map { options(lines => "Content-Length: 0\r\n") } 1 .. $count;

while (@many) {
    $conn->write(join '', splice @many, 0, 100);
    IMS::Loop::pause(0.001);
}

$mary->start('MESSAGE', body => 'x');
my $msg = $core->expect('MESSAGE', 2);
$core->reply($msg, 200, 'OK');
is($mary->final('MESSAGE', 2)->{code}, 200, 'a browser between many');

IMS::Loop::wait_for(sub { @{$core->{queue}} == $count }, 10);
is(scalar(grep { $_->{code} == 200 } @{$core->{queue}}), $count,
    'each of which has its answer');

like($t->read_file('error.log'), qr/message without a valid length/,
    'what was wrong is said');

$mary->close();
