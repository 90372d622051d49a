#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The control socket over HTTP: ping, ng with and without a cookie, metrics for
# Prometheus by their grammar, and what a server on a network must refuse.

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use File::Temp qw/ tempdir /;
use IO::Select;
use IO::Socket::IP;
use JSON::PP;
use Socket qw/ SOCK_STREAM /;
use Test::More;
use Time::HiRes qw/ sleep time /;

use lib abs_path(dirname(__FILE__) . '/../lib');

use IMS::NG;
use IMS::SDP qw/ web_sdp /;

my $top = abs_path(dirname(__FILE__) . '/../..');
my $helper = $ENV{MEDIA_HELPER} || "$top/media-helper/media-helper";
my $dir = tempdir('http-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $wait = 30;
my $json = JSON::PP->new->utf8->canonical;
my ($ng, $js) = ('application/x-rtpengine-ng', 'application/json');

my ($web, $port, $port6) = map { free_port() } 1 .. 3;
my $pid = start();
my $s = tcp();

my $r = get('/ping');
is("$r->{status} $r->{body}", "200 pong\n", 'ping');
is(get('/ping?x=y')->{status}, 200, 'with a query');
is(get('http://helper.example/ping')->{status}, 200, 'absolute');

$r = request('HEAD', '/ping');
is_deeply([@$r{qw/ status body /}, $r->{head}{'content-length'}],
    [200, '', 5], 'HEAD');

$r = post('/ng', $ng, 'c1 d7:command4:pinge');
like($r->{body}, qr/^c1 d6:result4:pong/, 'bencode');
is($r->{head}{'content-type'}, $ng, 'its type');
is(post('/ng', $ng, 'c1 {"command":"list"}')->{body}, $r->{body},
    'the same cookie');
like(post('/ng', $ng, 'c2 {"command":"ping"}')->{body},
    qr/^c2 \{"result":"pong"/, 'JSON');
like(post('/ng-plain', "$js; charset=utf-8", '{"command":"ping"}')->{body},
    qr/^\{"result":"pong"/, 'JSON without a cookie');
like(post('/ng-plain', $ng, 'd7:command4:pinge')->{body},
    qr/^d6:result4:pong/, 'bencode without a cookie');
like(post('/ng-plain', $js, '{"command":')->{body},
    qr/"Failed to parse JSON document"/, 'a broken document');
is(post('/ng', $ng, '{"command":"ping"}')->{status}, 400, 'no cookie');
is(post('/ng-plain', $js, 'c3 {"command":"ping"}')->{status}, 400,
    'a cookie');
is(post('/ng', $ng, '')->{status}, 400, 'nothing');

# a call, so that there is something to count

$r = $json->decode(post('/ng-plain', $js, $json->encode({
    command => 'offer', 'call-id' => 'h', 'from-tag' => 'A',
    sdp => web_sdp(), direction => [qw/ web ims /] }))->{body});
is($r->{result}, 'ok', 'an offer');

# metrics: every line by the grammar, HELP and TYPE before the samples

$r = get('/metrics');
is($r->{head}{'content-type'}, 'text/plain; version=0.0.4; charset=utf-8',
    'metrics');

my (%help, %type, %value, @bad);

for my $line (split /\n/, $r->{body}) {
    if ($line =~ /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (?:[^\\]|\\[\\n])+\z/) {
        push @bad, "twice: $line" if $help{$1}++;

    } elsif ($line =~ /^# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge)\z/) {
        push @bad, "order: $line" if $type{$1} || !$help{$1};
        $type{$1} = $2;

    } elsif ($line =~ /^(([a-zA-Z_:][\w:]*)
        (?:\{[a-zA-Z_]\w*="(?:[^"\\]|\\["\\n])*"\})?)\ (\d+)\z/x)
    {
        push @bad, "no type: $line" unless $type{$2};
        $value{$1} = $3;

    } else {
        push @bad, $line;
    }
}

is_deeply(\@bad, [], 'the grammar');
like($r->{body}, qr/\n\z/, 'the last line ends');
is_deeply([grep { !/^media_helper_[a-z_]+$/ } keys %type], [], 'names');
is_deeply([grep { $type{$_} eq 'counter' && !/_total$/ } keys %type], [],
    'counters end with _total');

my $statistics = $json->decode(post('/ng-plain', $js,
    '{"command":"statistics"}')->{body})->{statistics};
my @lacking = grep { !exists $value{"media_helper_$_"}
        && !exists $value{"media_helper_${_}_total"} }
    map { s/[ -]/_/gr } keys %$statistics;

is_deeply(\@lacking, [], 'all that statistics has');
is($value{media_helper_calls}, 1, 'a call');
is($value{'media_helper_calls_by_state{state="offered"}'}, 1, 'is offered');
is($value{'media_helper_calls_by_state{state="answered"}'}, 0,
    'and not answered');
cmp_ok($value{media_helper_control_requests_total}, '>', 5, 'requests');

# several at once, in pieces

my $two = "GET /ping HTTP/1.1\r\nHost: x\r\n\r\n"
    . "POST /ng HTTP/1.1\r\nHost: x\r\nContent-Type: $ng\r\n"
    . "Content-Length: 22\r\n\r\nc9 d7:command4:pinge\r\n";
my $broken = 0;

$two =~ s/Length: 22/Length: 20/;

for my $n (1 .. length($two) - 1) {
    my $t = tcp();

    syswrite $t, substr $two, 0, $n;
    sleep 0.002 if $n % 8 == 0;
    syswrite $t, substr $two, $n;

    my $text = drain($t, qr/c9 d6:result4:pong.*e\z/s);
    $broken++ unless $text =~ /\r\n\r\npong\nHTTP\/1\.1 200 OK\r\n/;
}

is($broken, 0, 'two requests, in pieces at each byte');

my $t = tcp();
syswrite $t, "POST /ng HTTP/1.1\r\nHost: x\r\nContent-Type: $ng\r\n"
    . "Expect: 100-continue\r\nContent-Length: 21\r\n\r\n";
like(drain($t, qr/\r\n\r\n\z/), qr/^HTTP\/1\.1 100 /, 'Expect');
syswrite $t, 'c10 d7:command4:pinge';
like(drain($t, qr/c10 d.*e\z/s), qr/^HTTP\/1\.1 200 /, 'then the rest');

# what is refused

my $host = "Host: x\r\n";

for (
    ['GET /none HTTP/1.1', $host, 404],
    ['GET /pingx HTTP/1.1', $host, 404],
    ['POST /ping HTTP/1.1', "${host}Content-Length: 0\r\n", 405],
    ['PUT /metrics HTTP/1.1', "${host}Content-Length: 0\r\n", 405],
    ['GET /ng HTTP/1.1', $host, 405],
    ['OPTIONS /ng-plain HTTP/1.1', $host, 405],
    ['POST /ng HTTP/1.1', "${host}Content-Type: $ng\r\n", 411],
    ['POST /ng HTTP/1.1',
        "${host}Content-Type: text/plain\r\nContent-Length: 0\r\n", 415],
    ['POST /ng-plain HTTP/1.1', "${host}Content-Type: "
        . "application/x-www-form-urlencoded\r\nContent-Length: 0\r\n", 415],
    ['POST /ng HTTP/1.1', "${host}Content-Length: 262145\r\n", 413],
    ['POST /ng HTTP/1.1',
        "${host}Content-Length: 99999999999999999999999\r\n", 413],
    ['POST /ng HTTP/1.1', "${host}Transfer-Encoding: chunked\r\n", 501],
    ['POST /ng HTTP/1.1',
        "${host}Content-Length: 1\r\nContent-Length: 2\r\n", 400],
    ['POST /ng HTTP/1.1', "${host}Content-Length: -1\r\n", 400],
    ['POST /ng HTTP/1.1', "${host}Content-Length: +1\r\n", 400],
    ['GET /ping HTTP/2.0', $host, 505],
    ['GET /ping HTTP/1.1', '', 400],
    ['GET /ping HTTP/1.1', $host . $host, 400],
    ['GET /ping HTTP/1.1', "${host}X : y\r\n", 400],
    ['GET /ping HTTP/1.1', "${host}X: y\r\n folded\r\n", 400],
    ['GET /ping HTTP/1.1', "${host}no colon\r\n", 400],
    ['GET /ping HTTP/1.1', "${host}X: a\0b\r\n", 400],
    ['GET /ping HTTP/1.1', "Host: x\n", 400],
    ['GET ping HTTP/1.1', $host, 400],
    ['GET  /ping HTTP/1.1', $host, 400],
    ['GET /ping', $host, 400],
    ["\x16\x03\x01", '', 400],
    ['GET /ping HTTP/1.1', $host . 'X: ' . 'x' x 8200 . "\r\n", 431],
    ['GET /' . 'x' x 9000, '', 431],
) {
    my ($line, $head, $status) = @$_;
    my $c = tcp();

    syswrite $c, "$line\r\n$head\r\n";
    my $got = drain($c, qr/\r\n\r\n./s);
    my $said = substr "$line $head", 0, 64;

    $said =~ s/[^ -~]/./g;
    like($got, qr/^HTTP\/1\.1 $status /, "$status: $said");
}

# connections: kept, or not

my $old = tcp();
syswrite $old, "GET /ping HTTP/1.0\r\n\r\n";
like(drain($old), qr/^HTTP\/1\.1 200 .*pong\n\z/s, 'HTTP/1.0 ends');

my $closing = tcp();
syswrite $closing, "GET /ping HTTP/1.1\r\n${host}Connection: a, Close\r\n\r\n";
like(drain($closing), qr/\r\nConnection: close\r\n.*pong\n\z/s, 'so asked');

is(get('/ping')->{status}, 200, 'the first one is still there');

# slow ones do not stay, and hinder nobody

my @slow = map { tcp() } 1 .. 3;
my $begun = time();
syswrite $slow[0], 'GET /pi';
syswrite $slow[1], "POST /ng HTTP/1.1\r\n${host}Content-Type: $ng\r\n"
    . "Content-Length: 100\r\n\r\nc1 d";
is(get('/ping')->{status}, 200, 'others are served');
is(drain($slow[0]) . drain($slow[1]), '', 'half requests end');
cmp_ok(time() - $begun, '>', 8, 'after some time');

# IPv6, and who may

is(IO::Socket::IP->new(PeerHost => '::1', PeerPort => $port6,
    Type => SOCK_STREAM) && request6(), 200, 'IPv6');

kill TERM => $pid;
waitpid $pid, 0;
is($?, 0, 'a clean end');

$pid = start('-A', '127.0.0.2');
$s = tcp();
is(drain($s), '', 'a stranger');

$s = IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $port,
    LocalHost => '127.0.0.2', Type => SOCK_STREAM) or die "tcp: $@\n";
is(get('/ping')->{status}, 200, 'who may');

kill TERM => $pid;
waitpid $pid, 0;

my $log = do { local (@ARGV, $/) = "$dir/log"; <> };
unlike($log, qr/Sanitizer|runtime error/, 'no sanitizer errors');

done_testing();

###############################################################################

sub start {
    my @options = @_;
    my $p = fork();
    die "fork: $!\n" unless defined $p;

    if ($p == 0) {
        open STDERR, '>>', "$dir/log";
        exec $helper, '-d', '-c', "http:127.0.0.1:$port", '-c',
            "http:[::1]:$port6", '-w', "127.0.0.1:$web", '-i', '127.0.0.1',
            @options;
        die "exec: $!";
    }

    for (1 .. 200) {
        return $p if IO::Socket::IP->new(PeerHost => '127.0.0.1',
            PeerPort => $port, Type => SOCK_STREAM);
        sleep 0.05;
    }

    die "no control socket\n";
}

sub free_port {
    my $f = IO::Socket::IP->new(Proto => 'udp', LocalHost => '127.0.0.1',
        LocalPort => 0) or die "socket: $!";
    return $f->sockport();
}

sub tcp {
    return IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $port,
        Type => SOCK_STREAM) || die "tcp: $@\n";
}

sub request6 {
    my $kept = $s;
    $s = IO::Socket::IP->new(PeerHost => '::1', PeerPort => $port6,
        Type => SOCK_STREAM) or die "tcp: $@\n";
    my $status = get("/ping")->{status};
    $s = $kept;
    return $status;
}

sub get { return request('GET', $_[0]) }

sub post {
    my ($path, $type, $body) = @_;
    return request('POST', $path, "Content-Type: $type\r\nContent-Length: "
        . length($body) . "\r\n", $body);
}

# over the one connection that is kept

sub request {
    my ($method, $path, $head, $body) = @_;
    my $text = '';

    syswrite $s, "$method $path HTTP/1.1\r\nHost: helper.example\r\n"
        . ($head || '') . "\r\n" . ($body // '');

    while (IO::Select->new($s)->can_read($wait)) {
        sysread $s, $text, 65536, length $text or last;
        my ($first, $rest) = split /\r\n\r\n/, $text, 2;
        next unless defined $rest;

        my %head = map { /^([^:]+): (.*)/ ? (lc $1, $2) : () }
            split /\r\n/, $first;
        my $n = $method eq 'HEAD' ? 0 : $head{'content-length'};
        next if length $rest < $n;

        my ($status) = $first =~ /^HTTP\/1\.1 (\d+) /;
        return { status => $status, head => \%head, body => $rest };
    }

    die "no response: $method $path $text\n";
}

# all that comes, until it looks so or the connection ends

sub drain {
    my ($c, $re) = @_;
    my $text = '';

    while (IO::Select->new($c)->can_read($wait)) {
        sysread $c, $text, 65536, length $text or return $text;
        return $text if defined $re && $text =~ $re;
    }

    return "$text (still open)";
}

###############################################################################
