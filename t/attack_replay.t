#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# What was good once: a ticket shown again, by many at a time, elsewhere, or
# after its user was blocked; and the identity of a lease that was given
# back, by its former user's token and sockets.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Attack;
use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IO::Select;
use IO::Socket::INET;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(36);

my $jwt = IMS::JWT->new($t);
my $attack = IMS::Attack->new($t, $jwt);

# a pool of one identity, and another one

$t->write_file_expand('nginx.conf', attack_conf(
    workers => 3, listen => '127.0.0.1:8080 reuseport', lease => '1h',
    identity => 'sip:u[1-1]@acme.ims.operator.example impi=$user@x.example',
    quarantine => '0s',
    http => 'ims_portal_pool other zone=other:1m core=operator {
        identity sip:o[1-9]@other.ims.operator.example impi=$user@x.example;
    }',
    server => <<'EOC'));
        ims_portal_ticket on;

        location = /other {
            ims_portal other;
        }

        location = /other/session {
            ims_portal_session other;
        }

        location = /scoped {
            ims_portal acme;
            ims_portal_jwt_scope calls;
        }

        location = /strict {
            ims_portal acme;
            ims_portal_jwt_audience strict;
        }

        location = /needs {
            ims_portal acme;
            ims_portal_jwt_require $ims_portal_claim_calls error=403;
        }

        location /admin/ {
            ims_portal_admin *;
        }
EOC

$t->run();

my $core = IMS::Core->new()->registrar();
my $token = $jwt->token('mary');

sub ticket {
    my ($token, %o) = @_;

    return IMS::Browser::api('POST', token => $token, %o,
        headers => [ 'Prefer: ticket' ])->{json}{ticket};
}

sub show {
    my ($ticket, %o) = @_;

    my $web = IMS::Browser->open(protocol => "sip, ims-ticket.$ticket", %o);
    my $status = $web->{status};

    $web->drop();

    return $status;
}

# one ticket, many at once, over all workers: the requests but for their last
# line come first

my $wins = 0;
my @others;

for my $round (1 .. 5) {
    my $ticket = ticket($token);
    my @s = map { IO::Socket::INET->new(Proto => 'tcp',
        PeerAddr => '127.0.0.1:' . port(8080)) } 1 .. 12;
    my %answer;

    $_->syswrite("GET /ims/sip HTTP/1.1\r\nHost: localhost\r\n"
        . "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        . "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        . "Sec-WebSocket-Version: 13\r\n"
        . "Sec-WebSocket-Protocol: sip, ims-ticket.$ticket\r\n") for @s;
    $_->syswrite("\r\n") for @s;

    for my $s (@s) {
        IO::Select->new($s)->can_read(5) or next;
        $s->sysread(my $in, 4096);
        $answer{($in // '') =~ m!^HTTP/1.1 (\d+)! ? $1 : 0}++;
    }

    $wins++ if ($answer{101} || 0) == 1 && ($answer{401} || 0) == 11;
    push @others, join ' ', map { "$_: $answer{$_}" } sort keys %answer;
}

is($wins, 5, "one ticket, one socket") or diag(join "\n", @others);

# changed ones, and those of another pool

my $ticket = ticket($token);

my @changed = (
    'A' x 32, '_' x 32, '-' x 32, lc $ticket eq $ticket ? uc $ticket
        : lc $ticket, substr($ticket, 0, 31), "${ticket}A", "$ticket=",
    'AAAAAA' . substr($ticket, 6), '______' . substr($ticket, 6),
    substr($ticket, 0, 31) . (substr($ticket, 31) eq 'A' ? 'B' : 'A'),
    reverse($ticket) . '', substr($ticket, 0, 16) . '.' x 16,
    "$ticket\\0", 'x' x 5000,
);

like(show($_), qr/^40[01]$/, 'changed: ' . substr $_, 0, 40) for @changed;

is(show($ticket, path => '/other'), 401, 'at another pool');
is(show($ticket), 101, 'it is still good');
is(show($ticket), 401, 'but once');

$ticket = ticket($token, path => '/other/session');
is(show($ticket), 401, 'of another pool');

# what a location wants of a token, it wants of who comes with a ticket

is(show(ticket($token), path => $_), 401, "at $_, where its token is refused")
    for qw! /scoped /strict /needs !;

# its user is blocked meanwhile

$ticket = ticket($token);

my $json = '{"user":"mary","for":60}';
my $r = post('/admin/pools/acme/users/block', $json);

is($r, 200, 'blocked');
like(show($ticket), qr/^40[13]$/, 'the ticket of a user who is blocked');
is(IMS::Browser::api('DELETE',
    path => '/admin/pools/acme/users/block?user=mary')->{status}, 204,
    'no more blocked');

# the identity is given back while mary has sockets

my $mary = IMS::Browser->open(token => $token);
is($mary->register()->{code}, 200, 'mary is registered');

my $impu = $mary->{impu};
my $silent = IMS::Browser->open(token => $token, lease => 0, impu => $impu);

$r = IMS::Browser::api('DELETE', token => $token);
like($r->{status}, qr/^20[24]$/, 'she gives it back');

ok(IMS::Loop::wait_for(sub {
    IMS::Browser::api('POST', token => $jwt->token('bob'))->{status} == 201
}, 5), 'and given to bob');

my $bob = IMS::Browser->open(token => $jwt->token('bob'));

is($bob->{impu}, $impu, 'it is his');
is($bob->register()->{code}, 200, 'he is registered');

# mary's token, her sockets, her ticket

is(IMS::Browser::api('POST', token => $token)->{status}, 503,
    'mary gets none');

my $old = IMS::Browser->open(token => $token, lease => 0, impu => $impu);

if ($old->{status} == 101) {
    like($old->register()->{code}, qr/^(?:403|503)$/,
        'a new socket cannot register it');

} else {
    like($old->{status}, qr/^(?:403|404|503)$/, 'no new socket');
}

for my $web ($mary, $silent) {
    if (!$web->is_open()) {
        ok(1, 'her socket is closed');
        next;
    }

    $r = $web->register();
    like($r ? $r->{code} : 403, qr/^(?:403|503)$/,
        'her socket cannot register it');
}

my $before = $core->seen('MESSAGE');

for my $web (grep { $_->is_open() } $mary, $silent, $old) {
    $web->start('MESSAGE', body => 'I am bob');
}

IMS::Loop::pause(0.3);
is(scalar $core->seen('MESSAGE'), $before, 'no message of hers as bob');

# a message for it is bob's

$core->terminating('MESSAGE', to => $impu, body => 'for bob');
my $got = $bob->expect('MESSAGE', 3);
ok($got, 'bob gets his');
$bob->reply($got, 200, 'OK') if $got;
$core->final('MESSAGE', 3);

$_->drop() for $mary, $silent, $old, $bob;

sub post {
    my ($path, $json) = @_;

    my $s = IO::Socket::INET->new(Proto => 'tcp',
        PeerAddr => '127.0.0.1:' . port(8080)) or die "can't connect: $!\n";

    my $reply = Test::Nginx::http("POST $path HTTP/1.1\r\nHost: localhost\r\n"
        . "Connection: close\r\nContent-Type: application/json\r\n"
        . 'Content-Length: ' . length($json) . "\r\n\r\n$json",
        socket => $s) // '';

    return $reply =~ m!^HTTP/1.1 (\d+)! ? $1 : 0;
}
