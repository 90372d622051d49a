#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The ng protocol's encodings and transports: JSON, TCP, messages in any
# pieces and without a cookie, UDP at its limits, a flood of cookies.

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use File::Temp qw/ tempdir /;
use IO::Select;
use IO::Socket::IP;
use IO::Socket::UNIX;
use JSON::PP;
use Socket qw/ SOCK_DGRAM SOCK_SEQPACKET SOCK_STREAM AF_UNIX
    pack_sockaddr_un /;
use Test::More;
use Time::HiRes qw/ sleep time /;

use lib abs_path(dirname(__FILE__) . '/../lib');

use IMS::NG;
use IMS::SDP qw/ web_sdp ims_sdp /;

my $top = abs_path(dirname(__FILE__) . '/../..');
my $helper = $ENV{MEDIA_HELPER} || "$top/media-helper/media-helper";
my $dir = tempdir('ng-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $wait = 30;
my $pid;

my %port = map { $_ => free_port() } qw/ web udp udp6 tcp tcp6 many /;

start('-c', "seqpacket:$dir/q", '-c', "udp:127.0.0.1:$port{udp}",
    '-c', "tcp:127.0.0.1:$port{tcp}", '-c', "udp:[::1]:$port{udp6}",
    '-c', "tcp:[::1]:$port{tcp6}");

my $json = JSON::PP->new->utf8->canonical;
my ($ping, $pong) = ('d7:command4:pinge', 'd6:result4:ponge');
my ($jping, $jpong) = ('{"command":"ping"}', '{"result":"pong"}');

my $udp = udp('127.0.0.1', $port{udp});
my $tcp = tcp('127.0.0.1', $port{tcp});

# every transport has both encodings

my %sockets = (
    stream => unix(SOCK_STREAM, "$dir/s"),
    seqpacket => unix(SOCK_SEQPACKET, "$dir/q"),
    UDP => $udp,
    UDP6 => udp('::1', $port{udp6}),
    TCP => $tcp,
    TCP6 => tcp('::1', $port{tcp6}),
);

for my $name (sort keys %sockets) {
    is(talk($sockets{$name}, "b$name $ping"), "b$name $pong",
        "$name, bencode");
    is(talk($sockets{$name}, "j$name $jping"), "j$name $jpong",
        "$name, JSON");

    # over UDP it is dropped, and the next one is heard

    if ($name =~ /UDP/) {
        send $sockets{$name}, $_, 0 for $ping, $jping;
        is(talk($sockets{$name}, "n$name $ping"), "n$name $pong",
            "$name, no cookie");
        next;
    }

    is(talk($sockets{$name}, $ping), $pong, "$name, no cookie");
    is(talk($sockets{$name}, $jping), $jpong, "$name, JSON, no cookie");
}

# a call in JSON, white space and escapes included

my $offer = $json->pretty->encode({ command => 'offer', 'call-id' => "c\x{e9}",
    'from-tag' => 'A', sdp => web_sdp(), direction => [qw/ web ims /] });
$json->pretty(0);
$offer =~ s/"offer"/"o\\u0066fer"/;

my $r = json("o1 $offer");
is($r->{result}, 'ok', 'an offer in JSON');
like($r->{sdp}, qr/^v=0\r\n.*^m=audio \d+ RTP\/AVP /ms, 'and its SDP');

my $list = json('l1 {"command":"list"}');
is_deeply($list->{calls}, ["c\x{e9}"], 'a call-id beyond ASCII');
is(ng('l2', 'list')->{calls}[0], "c\xc3\xa9", 'is in UTF-8 elsewhere');

$r = json('a1 ' . $json->encode({ command => 'answer', 'call-id' => "c\x{e9}",
    'from-tag' => 'A', 'to-tag' => 'B', direction => [qw/ ims web /],
    sdp => ims_sdp() =~ s/192\.0\.2\.9/127.0.0.1/gr }));
like($r->{sdp}, qr/^m=audio \d+ UDP\/TLS\/RTP\/SAVPF /m, 'an answer');

$r = json('q1 ' . $json->encode({ command => 'query',
    'call-id' => "c\x{e9}" }));
is_deeply([sort keys %{$r->{tags}}], [qw/ A B /], 'a query');
is_deeply(json('l3 {"command":"list","limit":0}')->{calls}, [],
    'an integer');

$r = json('d1 ' . $json->encode({ command => 'delete',
    'call-id' => "c\x{e9}", flags => [] }));
is($r->{result}, 'ok', 'a delete');

# what is not UTF-8 comes by bencode, and does not spoil JSON

is(ng('x1', 'offer', 'call-id' => "\xff\"\nz", 'from-tag' => 'A',
    sdp => web_sdp(), direction => [qw/ web ims /])->{result}, 'ok',
    'a call-id of bytes');
is_deeply(json('l4 {"command":"list"}')->{calls}, ["\x{fffd}\"\nz"],
    'listed in JSON');
ng('x2', 'delete', 'call-id' => "\xff\"\nz");

# the same cookie: the reply of then, from anywhere, in its encoding

is(talk($udp, "same $jping"), "same $jpong", 'JSON');
is(talk($tcp, "same $ping"), "same $jpong", 'again, asked in bencode');

# errors in the words of rtpengine, in the encoding of the request

my $error = '{"result":"error","error-reason":"%s"}';

for (
    ['{"command":"ping"', 'Failed to parse JSON document'],
    ['{"command":"ping"} x', 'Failed to parse JSON document'],
    ['{"command":"ping",}', 'Failed to parse JSON document'],
    ['{"command":"\xff"}', 'Failed to parse JSON document'],
    ['{"a":' . '[' x 20 . ']' x 20 . '}', 'Could not decode JSON dictionary'],
    ['{"a":[' . '1,' x 600 . '1]}', 'Could not decode JSON dictionary'],
    ['{"command":"foo"}', 'Unrecognized command'],
    ['{}', 'Dictionary contains no key \"command\"'],
    ['{"command":{}}', 'Dictionary contains no key \"command\"'],
) {
    my ($body, $reason) = @$_;
    state_cookie(my $c);

    is(talk($udp, "$c $body"), "$c " . sprintf($error, $reason),
        substr $body, 0, 24);
}

for (
    ['d7:command4:ping', 'Could not decode bencode dictionary'],
    ['dxx', 'Could not decode bencode dictionary'],
    ['[]', 'Invalid NG data format'],
    ['i3e', 'Invalid NG data format'],
    ['hello', 'Invalid NG data format'],
    ['', 'Invalid data (no payload)'],
) {
    my ($body, $reason) = @$_;
    state_cookie(my $c);

    my ($e) = IMS::NG::decode(talk($udp, "$c $body"), length($c) + 1);
    is($e->{'error-reason'}, $reason, "'$body'");
}

# what OpenSIPS sends over a Unix socket: a connection for each command, no
# cookie, the body first and the command last

my $opensips = 'd3:sdp' . string(web_sdp())
    . '5:flagsl13:trust-addresse9:transport8:internal'
    . '18:transport-protocol7:RTP/AVP3:ICE6:remove'
    . '9:directionl3:web3:imse7:call-id4:os-1'
    . '13:received-froml3:IP49:192.0.2.1e8:from-tag1:A7:command5:offere';

for my $name (qw/ Unix TCP /) {
    my $new = sub { $name eq 'Unix' ? unix(SOCK_STREAM, "$dir/s")
        : tcp('127.0.0.1', $port{tcp}) };

    my $s = $new->();
    my $reply = talk($s, $opensips);
    my ($value, $end) = IMS::NG::decode($reply, 0);

    is($value->{result}, 'ok', "$name, OpenSIPS's offer");
    is($end, length $reply, 'has a reply without a cookie');
    close $s;

    # at each byte, several at once

    my $bytes = "$ping\nc-1 $ping$jping\r\nc-2 $jping";
    my $expected = "${pong}c-1 $pong${jpong}c-2 $jpong";
    my $bad = 0;

    for my $n (1 .. length($bytes) - 1) {
        my $t = $new->();

        syswrite $t, substr $bytes, 0, $n;
        sleep 0.002;
        $bad++ if talk($t, substr($bytes, $n), length $expected)
            ne $expected;
        close $t;
    }

    is($bad, 0, "$name, in two pieces at each byte");

    my $t = $new->();
    for my $byte (split //, $bytes) { syswrite $t, $byte }
    is(talk($t, '', length $expected), $expected, "$name, byte by byte");

    syswrite $t, "c-3 $ping";
    shutdown $t, 1;
    is(talk($t, '', length "c-3 $pong"), "c-3 $pong",
        "$name, who sends no more still reads");
}

my $q = unix(SOCK_SEQPACKET, "$dir/q");
is((IMS::NG::decode(talk($q, $opensips), 0))[0]{result}, 'ok',
    "seqpacket, OpenSIPS's offer");
ng('os', 'delete', 'call-id' => 'os-1');

# what cannot be understood closes a stream

for my $bytes ("x dxx", "y \0\0\0\0", "\0\0", "z {]", "POST /ng HTTP/1.1\r\n",
    'a' x 300)
{
    my $s = tcp('127.0.0.1', $port{tcp});

    syswrite $s, $bytes;
    ok(ends($s), 'closed: ' . ($bytes =~ s/[^ -~]/./gr));
}

my $s = tcp('127.0.0.1', $port{tcp});
local $SIG{PIPE} = 'IGNORE';
syswrite $s, 'big d9:';
my $sent = 0;
my $part = 'd1:a200000:' . 'x' x 200000;

while ($sent < 2000000) {
    my $n = IO::Select->new($s)->can_write($wait)
        && syswrite($s, $part, 65536) or last;
    $sent += $n;
}

ok(ends($s), 'a message without an end');
is(talk($tcp, "still $ping"), "still $pong", 'others are undisturbed');

# UDP: a reply larger than any MTU, one that no datagram holds, the same
# cookie while the first is under way

ng("m$_", 'offer', 'call-id' => sprintf('%04d', $_) . 'x' x 240,
    'from-tag' => 'A', sdp => web_sdp(), direction => [qw/ web ims /])
    for 1 .. 300;

my $text = talk($udp, 'big1 d7:command4:list5:limiti100ee', 24001);
cmp_ok(length $text, '>', 24000, 'a reply of many fragments');
is(scalar @{(IMS::NG::decode($text, 5))[0]{calls}}, 100, 'is whole');

$text = talk($udp, 'big2 d7:command4:list5:limiti1000ee');
like($text, qr/^big2 .*Reply too long/, 'one that no datagram holds');
is(scalar @{ng('big3', 'list', limit => 1000)->{calls}}, 300,
    'goes over a stream');

send $udp, 'twice ' . IMS::NG::encode({ command => 'offer',
    'call-id' => 'twice', 'from-tag' => 'A', sdp => web_sdp(),
    direction => [qw/ web ims /] }), 0 for 1, 2;

my @twice = map { talk($udp, '') } 1, 2;
like($twice[0], qr/^twice .*result2:ok/s, 'a request sent twice at once');
is($twice[1], $twice[0], 'has one reply');

ng("e$_", 'delete', 'call-id' => sprintf('%04d', $_) . 'x' x 240)
    for 1 .. 300;
ng('e', 'delete', 'call-id' => 'twice');

is(ng('st', 'statistics')->{statistics}{calls}, 0, 'no call is left');

# a flood of cookies does not grow the memory

my $flood = 0;
my $c = unix(SOCK_STREAM, "$dir/s");

flood($c, 90000);
my $before = memory();
flood($c, 90000);
my $grown = memory() - $before;

cmp_ok($grown, '<', 12288, 'a flood of cookies, KiB')
    unless $ENV{MEDIA_HELPER};

# half-open and idle connections over TCP

my $half = tcp('127.0.0.1', $port{tcp});
my $idle = tcp('127.0.0.1', $port{tcp});
my $begun = time();
syswrite $half, 'half d7:comm';
ok(ends($half), 'half a message');
cmp_ok(time() - $begun, '>', 8, 'has some time');
is(talk($idle, "idle $ping"), "idle $pong", 'idle ones stay');

# more than there is room for: the oldest makes place, Unix sockets have room

my @many = map { tcp('127.0.0.1', $port{tcp}) } 1 .. 280;
is(talk($many[-1], "many $ping"), "many $pong", 'one too many');
ok(ends($idle) || ends($tcp), 'an older one is gone');
is(talk(unix(SOCK_STREAM, "$dir/s"), "room $ping"), "room $pong",
    'a Unix socket has room');
cmp_ok(ng('cs', 'statistics')->{statistics}{'control connections'}, '<', 300,
    'they are counted');

stop();

# too few descriptors: no spinning, a line in the log, and all is well again

# (root would raise the limit again)

my @few = ('sh', '-c', 'ulimit -n 48; exec "$@"', 'sh');

push @few, qw/ setpriv --reuid=nobody --clear-groups / if $> == 0;
chmod 0777, $dir;
start(\@few, '-c', "tcp:127.0.0.1:$port{many}", '-p', '28900-28903');

@many = map { unix(SOCK_STREAM, "$dir/s") } 1 .. 60;
sleep 1;

my $cpu = cpu();
sleep 3;
cmp_ok(cpu() - $cpu, '<', 1.5, 'no descriptor left: it waits');

@many = ();
is(talk(unix(SOCK_STREAM, "$dir/s"), "emfile $ping"), "emfile $pong",
    'and goes on');

stop();

my $log = do { local (@ARGV, $/) = "$dir/log"; <> };
my @lines = $log =~ /cannot be taken/g;
is(scalar @lines, 1, 'a line in the log');

done_testing();

###############################################################################

sub start {
    my @before = ref $_[0] ? @{shift()} : ();
    my @options = @_;

    unlink "$dir/s", "$dir/q";
    $pid = fork();
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open STDERR, '>', "$dir/log";
        exec @before, $helper, '-d', '-c', "unix:$dir/s",
            '-w', "127.0.0.1:$port{web}", '-i', '127.0.0.1',
            @options;
        die "exec: $!";
    }

    for (1 .. 200) {
        my $s = IO::Socket::UNIX->new(Peer => "$dir/s");
        return if $s;
        sleep 0.05;
    }

    die "no control socket\n";
}

sub stop {
    kill TERM => $pid;
    waitpid $pid, 0;
    is($?, 0, 'a clean end');

    my $text = do { local (@ARGV, $/) = "$dir/log"; <> };
    unlike($text, qr/Sanitizer|runtime error/, 'no sanitizer errors');
}

sub free_port {
    my $s = IO::Socket::IP->new(Proto => 'udp', LocalHost => '127.0.0.1',
        LocalPort => 0) or die "socket: $!";
    return $s->sockport();
}

sub udp {
    return IO::Socket::IP->new(Type => SOCK_DGRAM, PeerHost => $_[0],
        PeerPort => $_[1]) || die "udp: $@\n";
}

sub tcp {
    return IO::Socket::IP->new(Type => SOCK_STREAM, PeerHost => $_[0],
        PeerPort => $_[1]) || die "tcp: $@\n";
}

sub unix {
    my ($type, $path) = @_;

    socket(my $s, AF_UNIX, $type, 0) or die "socket: $!\n";
    connect($s, pack_sockaddr_un($path)) or die "$path: $!\n";

    return $s;
}

# what comes back: as many bytes, or one message

sub talk {
    my ($s, $bytes, $size) = @_;
    my $got = '';

    send $s, $bytes, 0 if length $bytes;

    while (IO::Select->new($s)->can_read($wait)) {
        defined recv($s, my $part, 262144, 0) or last;
        last if $part eq '';
        $got .= $part;

        if (defined $size) {
            last if length $got >= $size;
            next;
        }

        my ($body) = $got =~ /^(?:[^ {]+ )?(\{.*|d\d+:.*)/s or next;
        last if $body =~ /^\{/
            ? eval { JSON::PP->new->utf8->decode($body) }
            : defined((IMS::NG::decode($body, 0))[1]);
    }

    return $got;
}

sub json {
    my ($request) = @_;
    my ($id) = $request =~ /^(\S+) /;
    my $text = talk($sockets{stream}, $request);

    $text =~ s/^\Q$id\E // or die "foreign reply: $text\n";

    return $json->decode($text);
}

sub ng {
    my ($id, $command, @keys) = @_;
    my $text = talk($sockets{stream},
        "$id " . IMS::NG::encode({ command => $command, @keys }));

    return (IMS::NG::decode($text, length($id) + 1))[0];
}

sub string { return length($_[0]) . ":$_[0]" }

my $count;
sub state_cookie { $_[0] = 's_' . ++$count }

sub ends {
    my ($s) = @_;
    my $end = time() + $wait;

    while (time() < $end) {
        next unless IO::Select->new($s)->can_read(0.5);
        return 1 unless sysread $s, my $part, 65536;
    }

    return 0;
}

sub flood {
    my ($s, $n) = @_;

    while ($n > 0) {
        my $bytes = join '', map { sprintf "%0250d %s", $flood++, $ping }
            1 .. 100;
        my $got = 0;

        syswrite $s, $bytes;
        $n -= 100;

        # 100 replies: the last cookie has come and its dictionary ends

        my $tail = '';

        until ($tail =~ /0@{[$flood - 1]} \Q$pong\E\z/) {
            sysread $s, my $part, 262144 or die "flood: $!\n";
            $tail = substr $tail . $part, -600;
        }
    }
}

sub memory {
    my $text = do { local (@ARGV, $/) = "/proc/$pid/status"; <> };
    return $text =~ /^VmRSS:\s+(\d+)/m ? $1 : die "no memory\n";
}

sub cpu {
    my $text = do { local (@ARGV, $/) = "/proc/$pid/stat"; <> };
    my @f = split / /, $text =~ s/^.*\) //r;
    return ($f[11] + $f[12]) / 100;
}

###############################################################################
