#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The media helper's options, sockets, limits and timers, seen from its
# control sockets.  What it does with media is in media.t.

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use File::Temp qw/ tempdir /;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Socket qw/ SOCK_SEQPACKET SOCK_STREAM AF_UNIX pack_sockaddr_un /;
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use IMS::NG;
use IMS::SDP qw/ web_sdp ims_sdp /;

my $top = abs_path(dirname(__FILE__) . '/../..');
my $helper = $ENV{MEDIA_HELPER} || "$top/media-helper/media-helper";

plan(skip_all => "$helper is not built") unless -x $helper;

my $dir = tempdir('control-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my ($pid, $sock);
my $cookie = 0;

my @to_ims = ('transport-protocol' => 'RTP/AVP', ICE => 'remove',
    DTLS => 'off', direction => [qw/ web ims /]);
my @to_web = ('transport-protocol' => 'UDP/TLS/RTP/SAVPF', ICE => 'force',
    DTLS => 'passive', direction => [qw/ ims web /]);

my $web = web_sdp();
my $ims = ims_sdp();
$ims =~ s/192\.0\.2\.9/127.0.0.1/g;

# options

my @good = ('-c', 'unix:/x', '-w', '127.0.0.1', '-i', '127.0.0.1');

is(option(@good), 0, 'good options');
is(option(@good, '-w', '127.0.0.1,127.0.0.2,::1', '-a',
    '192.0.2.1,2001:db8::1'), 0, 'several addresses');

my %bad = (
    'control socket'   => [qw/ -c foo /],
    'control wildcard' => [qw/ -c udp:0.0.0.0:2223 /],
    'TCP wildcard'     => [qw/ -c tcp:[::]:2223 /],
    'TCP port'         => [qw/ -c tcp:127.0.0.1:0 /],
    'TCP address'      => [qw/ -c tcp:localhost:2223 /],
    'HTTP address'     => [qw/ -c http:127.0.0.1 /],
    'HTTPS'            => [qw/ -c https:127.0.0.1:443 /],
    'address'          => [qw/ -w x /],
    'wildcard'         => [qw/ -w 0.0.0.0 /],
    'two of a family'  => ['-i', '127.0.0.1,127.0.0.2'],
    'same twice'       => ['-w', '127.0.0.1,127.0.0.1'],
    'nine addresses'   => ['-w', join ',', map { "127.0.0.$_" } 1 .. 9],
    'link-local'       => [qw/ -w fe80::1 /],
    'link-local IPv4'  => [qw/ -w 169.254.1.1 /],
    'public family'    => [qw/ -a 2001:db8::1 /],
    'public too many'  => ['-a', '192.0.2.1,192.0.2.2'],
    'bracket'          => [qw/ -w [::1 /],
    'port'             => [qw/ -w 127.0.0.1:65536 /],
    'port of IMS side' => [qw/ -i 127.0.0.1:5 /],
    'port range'       => [qw/ -p 30001-30002 /],
    'number'           => [qw/ -m -1 /],
    'dscp'             => [qw/ -q 64 /],
    'dscp of video'    => ['-q', '46,64'],
    'dscp, none'       => ['-q', '46,'],
    'dscp, long'       => [qw/ -q 00046 /],
    'cpu'              => [qw/ -C 101 /],
    'delay'            => [qw/ -D 60001 /],
    'consent'          => [qw/ -e 0 /],
    'consent too long' => [qw/ -e 31 /],
    'video rate'       => [qw/ -B much /],
    'TCP port'         => [qw/ -T 0 /],
    'backend'          => [qw/ -b none /],
    'group'            => [qw/ -g no-such-group /],
    'letter'           => [qw/ -Z /],
    'rest'             => [qw/ rest /],
);

for my $name (sort keys %bad) {
    is(option(@good, @{$bad{$name}}), 2, "bad $name");
}

is(option(@good[2 .. 5]), 2, 'no control socket');
is(option(@good[0 .. 1, 4 .. 5]), 2, 'no browser side');
is(option(@good[0 .. 3]), 2, 'no IMS side');

# an address that is not ours is found at the start, not with each call

my $udp = free_port();
my $foreign = "-d -c unix:$dir/f -w 127.0.0.1:$udp -i 192.0.2.77";
my $said = `'$helper' $foreign 2>&1`;
is($? >> 8, 1, 'a foreign address');
like($said, qr/IMS side 192\.0\.2\.77/, 'is named');

# sockets

$udp = free_port();

start('-c', "seqpacket:$dir/q", '-c', "udp:127.0.0.1:$udp",
    '-p', '28200-28203', '-o', '2', '-m', '3');

my $ping = 'd7:command4:pinge';
my $pong = 'd6:result4:ponge';

is(talk($sock, "1_1 $ping"), "1_1 $pong", 'stream');
is(talk($sock, $ping), $pong, 'stream without a cookie');
is(talk($sock, "1_2 $ping\n1_3 $ping"), "1_2 ${pong}1_3 $pong",
    'two at once');

socket(my $q, AF_UNIX, SOCK_SEQPACKET, 0) or die $!;
connect($q, pack_sockaddr_un("$dir/q")) or die $!;

is(talk($q, "2_1 $ping"), "2_1 $pong", 'seqpacket');
like(talk($q, '2_2 d7:comm'), qr/^2_2 .*Could not decode bencode/,
    'a broken record');
like(talk($q, '2_3 '), qr/^2_3 .*no payload/, 'an empty one');
like(talk($q, '2_4 {"command":"ping"}'), qr/^2_4 \{"result":"pong"/, 'JSON');
is(talk($q, "2_5 $ping"), "2_5 $pong", 'and on it goes');

my $u = IO::Socket::INET->new(Proto => 'udp', PeerAddr => '127.0.0.1',
    PeerPort => $udp) or die $!;

is(talk($u, "3_1 $ping"), "3_1 $pong", 'udp');

my $broken = connection();
like(talk($broken, '4_1 dxx'), qr/^4_1 .*Could not decode/,
    'a broken stream message');
is(talk($broken, ''), '', 'ends its connection');
is(ng('ping')->{result}, 'pong', 'and no other');

my %start = map { ng('ping', 'ended since' => 0)->{started} => 1 } 1 .. 3;
is(scalar keys %start, 1, 'it says when it was started');
like((keys %start)[0], qr/^\d{13}$/, 'in milliseconds');

# a key of another type is none

for my $key (qw/ sdp call-id from-tag to-tag /) {
    my %keys = ('call-id' => 'typed', 'from-tag' => 'A', 'to-tag' => 'B',
        sdp => web_sdp());
    my $reason = 'No ' . ($key eq 'sdp' ? 'SDP body' : $key) . ' in message';

    for my $type ([ $keys{$key} ], { x => $keys{$key} }, \7) {
        $keys{$key} = $type;
        is(ng('answer', %keys)->{'error-reason'}, $reason,
            "$key: " . ref $type);
    }
}

# limits

is(offer('a')->{result}, 'ok', 'a call');
is(offer('b')->{result}, 'ok', 'another one');
is(offer('c')->{'error-reason'}, 'Ran out of ports', 'no third port pair');
is(statistics()->{'port pairs used'}, 2, 'its call left nothing behind');
is(scalar @{ng('list')->{calls}}, 2, 'list');
is(scalar @{ng('list', limit => 1)->{calls}}, 1, 'list with a limit');

# replies by cookie

my $first = request('same', 'delete', 'call-id' => 'a');
is(request('same', 'delete', 'call-id' => 'a'), $first,
    'the same cookie, the same reply');
like(request('other', 'delete', 'call-id' => 'a'),
    qr/Call-ID not found or tags didn't match/, 'another cookie');
is(ng('delete', 'call-id' => 'a', flags => ['fatal'])->{result}, 'error',
    'which is an error if fatal');

# timers

my $end = time() + 6;
select undef, undef, undef, 0.2
    while time() < $end && @{ng('list')->{calls}};

is(scalar @{ng('list')->{calls}}, 0, 'an unanswered offer ends');
is(statistics()->{'port pairs used'}, 0, 'and its ports are free');

# tags and branches

offer('f', 'via-branch' => 'b1');
offer('f', 'via-branch' => 'b2');
is(answer('f', 'T2')->{result}, 'ok', 'a fork answers');

is(answer('f', 'T2', 'from-tag' => 'X')->{'error-reason'},
    'Invalid dialogue association', 'an answer to somebody else');

ng('delete', 'call-id' => 'f', 'from-tag' => 'A', 'via-branch' => 'b1');
ok(exists ng('query', 'call-id' => 'f')->{tags}, 'the other branch ends');

ng('delete', 'call-id' => 'f', 'from-tag' => 'X');
ng('delete', 'call-id' => 'f', 'from-tag' => 'A', 'to-tag' => 'T1',
    flags => ['to-tag']);
is_deeply([sort keys %{ng('query', 'call-id' => 'f')->{tags}}], [qw/ A T2 /],
    'foreign tags end nothing');

my $gone = ng('delete', 'call_id' => 'f', 'from tag' => 'T2');
ok(exists $gone->{totals}{RTP}{packets}, 'the other side ends it');
is(ng('query', 'call-id' => 'f')->{'error-reason'}, 'Unknown call-id',
    'it is gone');

# which side offers, without "direction"

for (
    ['transport-protocol', 'RTP/AVP', $web, 'RTP/AVP'],
    ['ICE', 'remove', $web, 'RTP/AVP'],
    ['call-id', 'g', $web, 'RTP/AVP'],
    ['transport-protocol', 'UDP/TLS/RTP/SAVPF', $ims, 'UDP/TLS/RTP/SAVPF'],
    ['ICE', 'force', $ims, 'UDP/TLS/RTP/SAVPF'],
    ['flags', ['WebRTC'], $ims, 'UDP/TLS/RTP/SAVPF'],
) {
    my ($key, $value, $sdp, $profile) = @$_;

    my $r = ng('offer', 'call-id' => 'g', 'from-tag' => 'A', sdp => $sdp,
        $key => $value);
    like($r->{sdp} || '', qr/^m=audio \d+ \Q$profile\E /m,
        "$key tells the side");
    ng('delete', 'call-id' => 'g');
}

# what cannot be

(my $bare = $web) =~ s/a=fingerprint.*\r\n//;
(my $opus = $web) =~ s/ 111 0 8 126/ 111/;
(my $name = $ims) =~ s/c=IN IP4 127.0.0.1/c=IN IP4 host.example/;

is(offer('h', sdp => $bare)->{result}, 'error', 'no fingerprint');
is(offer('h', sdp => $opus)->{'error-reason'}, 'No usable media',
    'no codec in common');
is(ng('offer', 'call-id' => 'h', 'from-tag' => 'A', sdp => $name,
    @to_web)->{result}, 'error', 'a name for an address');
is(statistics()->{calls}, 0, 'none of them left a call');
is(statistics()->{'port pairs used'}, 0, 'nor a port (P29)');

is(offer("h\0i")->{'error-reason'}, 'Invalid NG data format',
    'a NUL in a call-id');
is(statistics()->{calls}, 0, 'which leaves none, too');

# what a browser cannot decode it refuses: that is no call (ME-12)

(my $amr = $ims) =~ s/ 8 126/ 96/;
$amr =~ s/a=rtpmap:8 .*/a=rtpmap:96 AMR\/8000\r/;
(my $none = $web) =~ s/m=audio 9 (\S+) .*/m=audio 0 $1 96\r/;
my @back = ('call-id' => 'j', 'from-tag' => 'A', 'to-tag' => 'B');

is(ng('offer', 'call-id' => 'j', 'from-tag' => 'A', sdp => $amr,
    @to_web)->{result}, 'ok', 'an offer of AMR alone');
is(ng('answer', @back, sdp => $none, @to_ims)->{'error-reason'},
    'No usable media', 'refused by the browser');
(my $taken = $none) =~ s/audio 0/audio 9/;
is(ng('answer', @back, sdp => $taken =~ s/actpass/active/r
    . "a=rtpmap:96 AMR/8000\r\n", @to_ims)->{result}, 'ok', 'or taken');
is(ng('answer', @back, sdp => $none, @to_ims)->{result}, 'ok',
    'and later all may be refused');
ng('delete', 'call-id' => 'j');

# neither is one whose far end takes what was not offered, or tones alone

for my $codec ('18 G729/8000', '97 AMR/8000', '13 CN/8000',
    '126 telephone-event/8000', '98 telephone-event/8000')
{
    my ($number) = $codec =~ /^(\d+)/;
    my $sdp = $ims =~ s/ 8 126/ $number/r =~ s/a=rtpmap.*\r\n//gr;

    offer('l');
    is(answer('l', 'B', sdp => "${sdp}a=rtpmap:$codec\r\n")
        ->{'error-reason'}, 'No usable media', "answered with $codec");
    is(answer('l', 'B')->{result}, 'ok', 'then with what was offered');
    is(answer('l', 'B', sdp => "${sdp}a=rtpmap:$codec\r\n")->{sdp}
        =~ /^m=audio (\d+)/m ? $1 : '', 0, 'later on the m-line is refused');
    ng('delete', 'call-id' => 'l');
}

# a call is between two

(my $group = $ims) =~ s/c=IN IP4 \S+/c=IN IP4 224.1.1.1\/127/;
offer('l');
is(answer('l', 'B', sdp => $group)->{'error-reason'},
    'Unusable media address', 'no answer from a multicast group');
is(ng('offer', 'call-id' => 'm', 'from-tag' => 'A', sdp => $group,
    @to_web)->{'error-reason'}, 'Unusable media address', 'and no offer');
ng('delete', 'call-id' => 'l');

offer('i');
is(offer('i', sdp => $opus)->{result}, 'error', 'a bad re-offer');
is(answer('i', 'B')->{result}, 'ok', 'does not hurt the call');
ng('delete', 'call-id' => 'i');

# figures are long: a driver over UDP does without (P31)

offer('k');
cmp_ok(length request('long', 'query', 'call-id' => 'k'), '>', 500,
    'a call has figures');
cmp_ok(length request('fast', 'delete', 'call-id' => 'k',
    flags => ['fast']), '<', 100, 'delete with fast has none');
is(ng('query', 'call-id' => 'k')->{'error-reason'}, 'Unknown call-id',
    'and is a delete');

stop();

# the number of calls; a socket file that was left behind

unlink "$dir/s";
my $left = IO::Socket::UNIX->new(Local => "$dir/s", Type => SOCK_STREAM,
    Listen => 1) or die $!;
close $left;

start('-m', '1', '-p', '28200-28209');
is(offer('a')->{result}, 'ok', 'the one call');
is(offer('a')->{result}, 'ok', 'again');
is(offer('b')->{'error-reason'}, 'Parallel session limit reached',
    'one too many');
stop();

done_testing();

###############################################################################

sub option {
    my $out = `'$helper' -n @{[map { "'$_'" } @_]} 2>&1`;
    return $? >> 8;
}

sub start {
    my @options = @_;
    my $port = free_port();

    $pid = fork();
    die "fork: $!" unless defined $pid;

    if ($pid == 0) {
        open STDERR, '>', "$dir/log";
        exec $helper, '-d', '-c', "unix:$dir/s", '-w', "127.0.0.1:$port",
            '-i', '127.0.0.1', @options;
        die "exec: $!";
    }

    for (1 .. 100) {
        last if $sock = connection();
        select undef, undef, undef, 0.05;
    }

    die "no control socket\n" unless $sock;
}

sub stop {
    kill 'TERM', $pid;
    waitpid $pid, 0;
    is($?, 0, 'a clean end');

    my $text = do { local (@ARGV, $/) = "$dir/log"; <> };
    unlike($text, qr/Sanitizer|runtime error/, 'no sanitizer errors');
}

sub connection {
    return IO::Socket::UNIX->new(Peer => "$dir/s", Type => SOCK_STREAM);
}

sub talk {
    my ($s, $bytes) = @_;
    my $got = '';

    send $s, $bytes, 0 if length $bytes;

    while (IO::Select->new($s)->can_read($got eq '' ? 3 : 0.2)) {
        defined recv($s, my $part, 65536, 0) or last;
        last if $part eq '';
        $got .= $part;
    }

    return $got;
}

sub request {
    my ($id, $command, @keys) = @_;
    my $bytes = '';

    send $sock, "$id "
        . IMS::NG::encode({ command => $command, @keys }), 0;

    while (IO::Select->new($sock)->can_read(3)) {
        recv $sock, my $part, 65536, 0;
        last if $part eq '';
        $bytes .= $part;
        my (undef, $end) = IMS::NG::decode($bytes, length($id) + 1);
        last if defined $end;
    }

    return substr $bytes, length($id) + 1;
}

sub ng {
    my ($value) = IMS::NG::decode(request('n_' . $cookie++, @_), 0);
    return $value || {};
}

sub offer {
    my ($id, @keys) = @_;
    return ng('offer', 'call-id' => $id, 'from-tag' => 'A', sdp => $web,
        @to_ims, @keys);
}

sub answer {
    my ($id, $tag, @keys) = @_;
    return ng('answer', 'call-id' => $id, 'from-tag' => 'A',
        'to-tag' => $tag, sdp => $ims, @to_web, @keys);
}

sub statistics { return ng('statistics')->{statistics} }

sub free_port {
    my $s = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1',
        LocalPort => 0) or die "socket: $!";
    return $s->sockport();
}

###############################################################################
