#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# SIP that is odd but right, and SIP that is wrong: RFC 4475, over the
# WebSocket and over UDP.

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
use IO::Socket::INET;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf());

# A MESSAGE of mary, with some lines of it replaced: name => line or undef.

my ($mary, $number) = (undef, 0);

sub message {
    my (%o) = @_;

    $number++;

    my %line = (
        start => 'MESSAGE sip:bob@ims.operator.example SIP/2.0',
        Via => 'Via: ' . $mary->via(),
        'Max-Forwards' => 'Max-Forwards: 70',
        From => "From: <$mary->{impu}>;tag=m$number",
        To => 'To: <sip:bob@ims.operator.example>',
        'Call-ID' => "Call-ID: malformed-$$-$number",
        CSeq => 'CSeq: 1 MESSAGE',
        'Content-Length' => 'Content-Length: 0',
        more => undef, body => '',
    );

    $line{$_} = $o{$_} for keys %o;

    return join("\r\n", grep { defined } @line{qw/ start Via Max-Forwards From
        To Call-ID CSeq more Content-Length /}) . "\r\n\r\n$line{body}";
}

# right, if odd: arrives at the core

my @right = (
    [ 'compact names', sub { message(
        Via => 'v: ' . $mary->via(), From => "f: <$mary->{impu}>;tag=1",
        To => 't: <sip:bob@ims.operator.example>', 'Call-ID' => "i: c$$",
        'Content-Length' => 'l: 0', more => 's: compact') } ],
    [ 'folded lines, odd case', sub { message(
        To => "TO :\r\n sip:bob\@ims.operator.example\r\n ;x=y",
        From => "fRoM:  \"quoted \\\" name\"\r\n\t<$mary->{impu}>;tag=2") } ],
    [ 'no Content-Length', sub { message('Content-Length' => undef,
        body => 'whole') } ],
    [ 'display name touching', sub { message(
        From => "From: Mary<$mary->{impu}>;tag=3") } ],
    [ 'escapes', sub { message(
        start => 'MESSAGE sip:%62ob%00@ims.operator.example;x=%41 SIP/2.0') } ],
    [ 'parameters in the user', sub { message(start =>
        'MESSAGE sip:bob;x=1?a=b@ims.operator.example;transport=udp SIP/2.0')
        } ],
    [ 'several values in a line', sub { message(
        more => "Supported: a, b ,c\r\nSupported: d\r\nX: <,>, \",\"") } ],
    [ 'unknown header fields', sub { message(
        more => "!%*_x: 1\r\nX-Empty:\r\nX-Utf: \xc3\xa4") } ],
    [ 'no Max-Forwards', sub { message('Max-Forwards' => undef) } ],
    [ 'long values', sub { message(more => 'X-Long: ' . 'y' x 2000) } ],
    [ 'CRLF before it', sub { "\r\n" . message() } ],
    [ 'tel URI with marks', sub { message(
        start => 'MESSAGE tel:+1-(555)-01.99 SIP/2.0') } ],
);

# wrong: the answer

my @wrong = (
    [ 'Content-Length too big', 400, sub { message(
        'Content-Length' => 'Content-Length: 10', body => 'short') } ],
    [ 'Content-Length too small', 400, sub { message(
        'Content-Length' => 'Content-Length: 2', body => 'longer') } ],
    [ 'Content-Length negative', 400, sub { message(
        'Content-Length' => 'Content-Length: -999') } ],
    [ 'Content-Length in words', 400, sub { message(
        'Content-Length' => 'Content-Length: none') } ],
    [ 'Content-Length far too big', 400, sub { message(
        'Content-Length' => 'Content-Length: 99999999999999999999') } ],
    [ 'two Content-Lengths', 400, sub { message('Content-Length' =>
        "Content-Length: 0\r\nContent-Length: 5", body => 'hello') } ],
    [ 'CSeq of another method', 400, sub { message(
        CSeq => 'CSeq: 1 INVITE') } ],
    [ 'CSeq too big', 400, sub { message(
        CSeq => 'CSeq: 36893488147419103232 MESSAGE') } ],
    [ 'no CSeq', 400, sub { message(CSeq => undef) } ],
    [ 'no To', 400, sub { message(To => undef) } ],
    [ 'no From', 400, sub { message(From => undef) } ],
    [ 'no Call-ID', 400, sub { message('Call-ID' => undef) } ],
    [ 'two From', 400, sub { my $f = "From: <$mary->{impu}>;tag=4";
        message(From => "$f\r\n$f") } ],
    [ 'two Call-IDs', 400, sub { message('Call-ID' =>
        "Call-ID: a\r\nCall-ID: b") } ],
    [ 'quote not closed', 400, sub { message(
        To => 'To: "Bob <sip:bob@ims.operator.example>') } ],
    [ 'space in the Request-URI', 400, sub { message(
        start => 'MESSAGE sip:bob @ims.operator.example SIP/2.0') } ],
    [ 'Request-URI in brackets', 400, sub { message(
        start => 'MESSAGE <sip:bob@ims.operator.example> SIP/2.0') } ],
    [ 'spaces in the start line', 400, sub { message(
        start => 'MESSAGE  sip:bob@ims.operator.example SIP/2.0') } ],
    [ 'Max-Forwards too big', 400, sub { message(
        'Max-Forwards' => 'Max-Forwards: 300') } ],
    [ 'Max-Forwards 0', 483, sub { message(
        'Max-Forwards' => 'Max-Forwards: 0') } ],
    [ 'SIP/7.0', 505, sub { message(
        start => 'MESSAGE sip:bob@ims.operator.example SIP/7.0') } ],
    [ 'unknown scheme', 416, sub { message(
        start => 'MESSAGE nobodyKnowsThisScheme:x SIP/2.0') } ],
    [ 'Proxy-Require', 420, sub { message(
        more => 'Proxy-Require: nothingSupportsThis') } ],
    [ 'NUL in a header field', 400, sub { message(more => "X: a\0b") } ],
    [ 'lone CR', 400, sub { message(more => "X: a\rP-Y: b") } ],
);

# nothing that could be answered: dropped, and the socket stays

my @dropped = (
    [ 'no Via', sub { message(Via => undef) } ],
    [ 'no SIP at all', sub { "GET / HTTP/1.1\r\nHost: x\r\n\r\n" } ],
    [ 'words', sub { 'hello' } ],
    [ 'only the start line', sub { (split /\r\n/, message())[0] . "\r\n" } ],
    [ 'head not ended', sub { substr message(), 0, -2 } ],
    [ 'response to nothing', sub { message(start => 'SIP/2.0 200 OK') } ],
    [ 'status 4294967301', sub { message(
        start => 'SIP/2.0 4294967301 better not') } ],
    [ 'status 700', sub { message(start => 'SIP/2.0 700 No') } ],
    [ 'ACK to nothing', sub { message(CSeq => 'CSeq: 1 ACK',
        start => 'ACK sip:bob@ims.operator.example SIP/2.0') } ],
    [ 'empty ACK', sub { "ACK\r\n\r\n" } ],
);

$t->plan(@right + @wrong + @dropped + 5)->run();

my $core = IMS::Core->new()->registrar();

$mary = IMS::Browser->open(token => $jwt->token('mary'));
$mary->register();

for my $case (@right) {
    my ($title, $make) = @$case;

    $mary->send($make->());
    my $r = $core->expect('MESSAGE', 2);
    ok($r, $title);
    $core->reply($r, 200, 'OK') if $r;
    my $answer = $mary->final('MESSAGE', 1);
    diag("$title: answered " . $answer->{code}) if !$r && $answer;
}

for my $case (@wrong) {
    my ($title, $code, $make) = @$case;

    $mary->send($make->());
    my $r = $mary->expect(undef, 2);
    is($r && $r->{code}, $code, $title);
}

for my $case (@dropped) {
    my ($title, $make) = @$case;

    $mary->send($make->());
    my $r = $mary->expect(undef, 0.05);
    ok(!$r || $r->{code} == 400, "$title: dropped or 400")
        or diag $r->{raw};
}

ok($core->none('MESSAGE'), 'nothing of it at the core');
is($mary->ask('MESSAGE', max_forwards => 0)->{code}, 483, 'still served');

# the same from the core's side, by UDP

for my $case (@wrong, @dropped) {
    my $bytes = $case->[-1]->();
    my $path = $core->{registered}{$mary->{impu}}{path};

    $bytes =~ s/\r\n/\r\nRoute: $path\r\n/;
    $core->emit($bytes);
    $core->emit(substr $bytes, 0, length($bytes) / 2);
}

$core->emit($_) for '', "\0" x 100, "\r\n\r\n", 'x' x 60000;
IMS::Loop::pause(0.3);
@{$core->{queue}} = ();

$core->terminating('MESSAGE', to => $mary->{impu}, body => 'fine');
my $r;
do { $r = $mary->expect('MESSAGE', 2) } while $r && $r->{body} ne 'fine';

ok($r, 'core still heard');
$mary->reply($r, 200, 'OK') if $r;
ok($mary->is_open(), 'still open');
is(IMS::Browser::api('GET', token => $jwt->token('mary'))->{status}, 200,
    'web still served');

$mary->close();
