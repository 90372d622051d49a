#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Limits of an address: sockets and handshakes. The address is realip's, that
# of IPv6 its /64, and an office behind one is not locked out.

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
use IMS::WebSocket;
use Test::Nginx qw/ port /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http realip /)->plan(32);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    workers => 3, main => 'worker_rlimit_nofile 4096;',
    http => 'set_real_ip_from 127.0.0.1; real_ip_header X-Real-IP;
        log_format error "$status $ims_portal_error";',
    server => 'access_log %%TESTDIR%%/error.txt error;
        location = /few {
            ims_portal acme;
            ims_portal_limit_sockets address=2;
        }

        location = /slow {
            ims_portal acme;
            ims_portal_limit_handshakes address rate=6r/m burst=2;
        }

        location = /sip {
            ims_portal acme;
            ims_portal_auth sip;
            ims_portal_limit_sockets unverified=2;
        }

        location = /sip/user {
            ims_portal acme;
            ims_portal_auth sip;
            ims_portal_limit_sockets user=1;
        }

        location = /user {
            ims_portal acme;
            ims_portal_limit_sockets user=2;
        }

        location = /again {
            ims_portal acme;
            ims_portal_limit_handshakes user rate=1r/s burst=1;
        }'));

$t->run();

my $n = 0;

# a socket of a user of its own, unless one is named

sub open_ws {
    my ($path, $address, %o) = @_;

    my $token = $jwt->token($o{user} || 'user' . $n++);

    return IMS::WebSocket->connect(port => port(8080), path => $path,
        $o{bare} ? () : (cookie => "ims_session=$token"),
        defined $address ? (headers => [ "X-Real-IP: $address" ]) : (), %o);
}

sub status { return IMS::Browser::api('GET', path => '/ims/status')->{json} }

# sockets: IPv4 whole

my @ws = map { open_ws('/few', '192.0.2.1') } 1 .. 2;
my $more = open_ws('/few', '192.0.2.1');

is(join(' ', map { $_->{status} } @ws), '101 101', 'as many as may be');
is($more->{status}, 429, 'one more of an address');
is($more->header('Retry-After'), 30, 'may come back');
is(open_ws('/few', '192.0.2.2')->{status}, 101, 'another address');
is(open_ws('/few', undef, from => '127.0.0.2')->{status}, 101,
    'one that realip does not replace');
is(open_ws('/few', '::ffff:192.0.2.1')->{status}, 429,
    'IPv4 inside of IPv6 is the same');

(shift @ws)->close();
is(open_ws('/few', '192.0.2.1')->{status}, 101, 'room when one has gone');

# IPv6 by /64

@ws = map { open_ws('/few', "2001:db8:0:1::$_") } 1 .. 2;
is(join(' ', map { $_->{status} } @ws), '101 101', 'IPv6');
is(open_ws('/few', '2001:db8:0:1:ffff::1')->{status}, 429, 'the same /64');
is(open_ws('/few', '2001:db8:0:2::1')->{status}, 101, 'another /64');

# handshakes

@ws = map { open_ws('/slow', '192.0.2.3')->{status} } 1 .. 3;
is("@ws", '101 101 101', 'one and a burst of two');
$more = open_ws('/slow', '192.0.2.3', bare => 1);
is($more->{status}, 429, 'one more handshake, before its token is looked at');
like($more->header('Retry-After'), qr/^([89]|10)$/, 'after ten seconds');
is(open_ws('/slow', '192.0.2.4')->{status}, 101, 'another address');

# without a token

@ws = map { open_ws('/sip', '192.0.2.5', bare => 1) } 1 .. 3;
is(join(' ', map { $_->{status} } @ws), '101 101 429', 'unverified');
is(open_ws('/sip', '192.0.2.6', bare => 1)->{status}, 101, 'another address');

# the token comes by SIP: then it is the user's

my $core = IMS::Core->new()->registrar();
my @sip;

for (1 .. 2) {
    my $ws = IMS::Browser->open(path => '/sip/user',
        impu => IMS::Browser::api('POST', token => $jwt->token('sip'))
            ->{json}{identity}, headers => [ 'X-Real-IP: 192.0.2.7' ]);

    $ws->{code} = $ws->register(headers => [
        Authorization => 'Bearer ' . $jwt->token('sip') ])->{code};
    push @sip, $ws;
}

is(join(' ', map { $_->{code} } @sip), '200 480', 'sockets of a user by SIP');

# of a user, from anywhere

@ws = map { open_ws('/user', "192.0.2.$_", user => 'mary') } 10 .. 12;
is(join(' ', map { $_->{status} } @ws), '101 101 429', 'sockets of a user');
is(open_ws('/user', '192.0.2.10', user => 'bob')->{status}, 101,
    'another user');

my @again = map { open_ws('/again', "192.0.2.$_", user => 'eve') } 20 .. 22;
is(join(' ', map { $_->{status} } @again), '101 101 429',
    'handshakes of a user');
is($again[2]->header('Retry-After'), 1, 'after a second');
is(open_ws('/again', '192.0.2.20', user => 'dan')->{status}, 101,
    'another user');

my $limits = status()->{limits};

is_deeply({ map { $_ => $limits->{$_} } grep { $limits->{$_} } keys %$limits },
    { address_sockets => 3, address_handshakes => 1, address_unverified => 1,
        user_sockets => 2, user_handshakes => 1 }, 'counted');

my $log = $t->read_file('error.txt');

like($log, qr/^429 too many sockets$/m, 'in the access log');
like($log, qr/^429 too many handshakes$/m, 'the handshakes, too');

$log = $t->read_file('error.log');
is(scalar(() = $log =~ /\[warn\].*address "192.0.2.1" is at a limit: too/g), 1,
    'one line for an address');
like($log, qr/\[warn\].*user "mary" of pool "acme" is at a limit: too many so/,
    'one for a user');

# an office: all of it behind one address, with what is the default

my @office = map { open_ws('/ims/sip', '192.0.2.99') } 1 .. 500;

is(scalar(grep { $_->{status} == 101 } @office), 500, 'an office of 500');

# they all come back at once

$_->drop() for @office;
@office = map { open_ws('/ims/sip', '192.0.2.99') } 1 .. 200;

is(scalar(grep { $_->{status} == 101 } @office), 200, 'it comes back');
is(status()->{limits}{address_sockets}, 3, 'nobody was refused');

IMS::Loop::wait_for(sub { status()->{pools}[0]{sockets} < 220 }, 5);
cmp_ok(status()->{pools}[0]{sockets}, '>=', 200, 'sockets of the pool');

$_->drop() for @office, @ws, @again, @sip;

ok(IMS::Loop::wait_for(sub { status()->{pools}[0]{sockets} == 0 }, 5),
    'none is counted when all are gone');
