#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A server of keys that has gone bad, or been taken over: whatever it answers,
# nginx lives, the former keys serve, and nobody gets in with keys that a
# published set must not have (P39, P40; RFC 7517 9.1).

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Attack;
use IMS::Browser;
use IMS::JWT;
use IMS::Loop;
use IO::Socket::INET;
use JSON::PP qw/ encode_json decode_json /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http proxy /);

my $jwt = IMS::JWT->new($t);
my $attack = IMS::Attack->new($t, $jwt);
my $dir = $t->testdir();

my $set = encode_json({ keys => [ $jwt->jwk('ES256') ] });
my $ok = "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n";

# what it answers, by name; "..." is a pause without an end

my %answer = (
    'nothing' => '',
    'no HTTP' => "garbage\r\n\r\n",
    'status 500' => "HTTP/1.0 500 Oops\r\n\r\n$set",
    'status 404' => "HTTP/1.0 404 Not Found\r\n\r\n$set",
    'status 204' => "HTTP/1.0 204 No Content\r\n\r\n",
    'status 206' => "HTTP/1.0 206 Partial\r\n\r\n$set",
    'another place' => "HTTP/1.0 302 Found\r\nLocation: http://127.0.0.1:"
        . port(8087) . "/keys\r\n\r\n",
    'a place inside' => "${ok}X-Accel-Redirect: /inside\r\n\r\n",
    'itself inside' => "${ok}X-Accel-Redirect: /_jwks0\r\n\r\n",
    'a place that is not' => "${ok}X-Accel-Redirect: /nowhere\r\n\r\n",
    'the session API inside' => "${ok}X-Accel-Redirect: /ims/session\r\n\r\n",
    'a WebSocket' => "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket"
        . "\r\nConnection: upgrade\r\n\r\n",
    'a head alone' => "$ok\r\n",
    'a head that does not end' => "${ok}X-More: 1\r\n...",
    'a body that does not end' => "${ok}Content-Length: 1000\r\n\r\n{...",
    'half a body' => "${ok}Content-Length: 1000\r\n\r\n"
        . substr($set, 0, 100),
    'compressed' => "${ok}Content-Encoding: gzip\r\n\r\n$set",
    'no JSON' => "$ok\r\n<html>login</html>",
    'PEM' => "$ok\r\n" . $jwt->pem('ES256'),
    'an empty set' => "$ok\r\n{\"keys\":[]}",
    'keys of no use' => "$ok\r\n{\"keys\":[{\"kty\":\"EC\"},1,null,[]]}",
    'deep' => "$ok\r\n{\"keys\":" . '[' x 50000 . ']' x 50000 . '}',
    '300 KB' => "$ok\r\n" . encode_json({ keys => [ $jwt->jwk('ES256') ],
        x => 'x' x 300000 }),
    '1 MB of blanks' => "$ok\r\n" . ' ' x 2 ** 20,
    'a secret alone' => "$ok\r\n" . encode_json({ keys => [ { kty => 'oct',
        kid => 'h1', alg => 'HS256', k => b64('known to everybody' x 2) } ] }),
);

my @modes = sort keys %answer;

$t->plan(4 * @modes + 7);

# each bad one has a location of its own, whose first answer is a good one

my $conf = '';

for my $i (0 .. @modes) {
    $conf .= <<"EOC";
        location = /session$i {
            ims_portal_session acme;
            ims_portal_jwt_key request=/_jwks$i miss=2s timeout=300ms;
        }

        location = /_jwks$i {
            internal;
            proxy_pass http://127.0.0.1:8086/$i;
            proxy_read_timeout 10s;
        }
EOC
}

$t->write_file_expand('nginx.conf', attack_conf(server => <<"EOC"));
        $conf

        location = /inside {
            internal;
            return 200 '{"keys":[]}';
        }
EOC

# the last one: good keys among bad ones

$t->write_file("good$_", "$ok\r\n$set") for 0 .. @modes;
$t->write_file("bad$_", $answer{$modes[$_]}) for 0 .. $#modes;
$t->write_file('bad' . @modes, "$ok\r\n" . encode_json({ keys => [
    { kty => 'oct', kid => 'h1', k => b64('known to everybody' x 2) },
    { kty => 'OKP', crv => 'Ed25519', kid => 'd1', x => b64("\0" x 32) },
    $jwt->jwk('ES256'), { %{$jwt->jwk('ES256')}, kid => 'e9' } ] }));

$t->run_daemon(\&http_daemon, $dir, port(8086));
$t->waitforsocket('127.0.0.1:' . port(8086));

# nobody shall be asked but who is meant

my $elsewhere = IO::Socket::INET->new(Listen => 5, Proto => 'tcp',
    LocalAddr => '127.0.0.1:' . port(8087)) or die "can't listen: $!\n";

$t->run();

sub status {
    my ($i, $token) = @_;

    return IMS::Browser::api('POST', path => "/session$i", token => $token)
        ->{status};
}

my $good = $jwt->token('mary');
my $unknown = $jwt->sign('ES256', $jwt->claims('eve'),
    header => { kid => 'e9' });
my $secret = $attack->forge({ alg => 'HS256', kid => 'h1' },
    $attack->claims('eve'), 'HS256', 'known to everybody' x 2);

for my $i (0 .. $#modes) {
    like(status($i, $good), qr/^20[01]$/, "$modes[$i]: good keys first");

    # a key that is not known has it asked again

    like(status($i, $unknown), qr/^(?:401|503)$/, '... an unknown key');
    like(status($i, $secret), qr/^(?:401|503)$/, '... a secret');
    is(status($i, $good), 200, '... the former keys serve');
}

ok(!IO::Select->new($elsewhere)->can_read(0.1), 'nobody else was asked');

# among good keys bad ones are skipped

my $i = @modes;

is(status($i, $good), 200, 'good keys first');
is(status($i, $unknown), 201, 'a new key');
is(status($i, $secret), 401, 'a secret in a published set is none');

my $small = $attack->forge({ alg => 'EdDSA', kid => 'd1' },
    $attack->claims('eve'), 'none');

# one of four texts would do for a key of zeros

is(scalar(grep { status($i, $small . b64(pack 'a32 x32', chr $_)) != 401 }
    0, 1), 0, 'nor is a key of small order one');
is(status($i, $good), 200, 'the former one');

$attack->still_serves();

sub http_daemon {
    my ($dir, $port) = @_;

    my $server = IO::Socket::INET->new(Proto => 'tcp', Listen => 20,
        LocalAddr => "127.0.0.1:$port", ReuseAddr => 1)
        or die "can't listen: $!\n";
    my (@kept, %seen);

    local $SIG{PIPE} = 'IGNORE';

    while (my $client = $server->accept()) {
        my $head = '';

        while ($head !~ /\r\n\r\n/) {
            last unless $client->sysread($head, 4096, length $head);
        }

        my ($i) = $head =~ m!^GET /(\d+) ! or next;

        open my $fh, '<', "$dir/" . ($seen{$i}++ ? 'bad' : 'good') . $i
            or next;
        my $answer = do { local $/; <$fh> };
        my $hang = $answer =~ s/\.\.\.\z//;

        $client->syswrite($answer);
        push @kept, $client if $hang;
        shift @kept if @kept > 8;
    }
}
