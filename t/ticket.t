#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Tickets: the session API gives one for a WebSocket that has no cookie; it is
# good once, in any worker, over a reload, and stands for its token.

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
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(33);

my $jwt = IMS::JWT->new($t);

my $conf = ims_conf(workers => 2, server => <<'EOC');
    ims_portal_ticket on;
    ims_portal_jwt_leeway 0s;

    location = /off {
        ims_portal_ticket off;
        ims_portal_session acme;
    }

    location = /query {
        ims_portal_jwt $arg_ticket;
        ims_portal acme;
    }
EOC

$t->write_file_expand('nginx.conf', $conf);

$t->run();

my $core = IMS::Core->new()->registrar();

sub api {
    my ($method, $token, %o) = @_;

    return IMS::Browser::api($method, token => $token, %o,
        headers => [ 'Prefer: respond-async, ticket' ]);
}

sub open_with {
    my ($ticket, %o) = @_;

    return IMS::Browser->open(protocol => "sip, ims-ticket.$ticket", %o);
}

my $token = $jwt->token('mary', exp => time() + 1800);

# who asks gets one

my $r = IMS::Browser::api('POST', token => $token);
ok(!exists $r->{json}{ticket}, 'no ticket unless it is asked for');
unlike($r->{head}, qr/^Preference-Applied/mi, 'nor said so');

$r = api('POST', $token);
like($r->{json}{ticket}, qr/^[\w-]{32}$/, 'a ticket');
is($r->{json}{ticket_expires_in}, 30, 'for half a minute');
like($r->{head}, qr/^Preference-Applied: ticket\r$/mi, 'and said so');

my ($ticket, $impu) = @{$r->{json}}{qw/ ticket identity /};

isnt(api('PUT', $token)->{json}{ticket}, $ticket, 'PUT gives another');
ok(!exists api('GET', $token)->{json}{ticket}, 'GET none');
ok(!exists api('POST', $token, path => '/off')->{json}{ticket},
    'nor where it is off');

# it opens a socket, once

my $mary = open_with($ticket, impu => $impu);

is($mary->{status}, 101, 'handshake');
like($mary->{head}, qr/^Sec-WebSocket-Protocol: sip\r$/mi, 'sip is selected');
is($mary->register()->{code}, 200, 'registered as the user');

my $again = open_with($ticket);

is($again->{status}, 401, 'replayed: refused');
like($again->{head}, qr/^WWW-Authenticate: Bearer .*invalid_token/mi, 'why');

# any worker; the order of subprotocols does not count

my %status;

for (1 .. 12) {
    my $one = api('POST', $token)->{json}{ticket};
    my $s = IMS::Browser->open(protocol => "ims-ticket.$one,sip");

    $status{$s->{status}}++;
    $s->close();
}

is_deeply(\%status, { 101 => 12 }, 'whichever worker gave it');

# the token counts: its end and its revocation

my $short = api('POST', $jwt->token('bob', exp => time() + 2));
my $bob = open_with($short->{json}{ticket}, impu => $short->{json}{identity});

is($bob->{status}, 101, 'a short one');
is($bob->register()->{code}, 200, 'registered');
is($bob->closed(6), 4401, 'ends with its token');

$short = api('POST', $jwt->token('eve', exp => time() + 2));
is($short->{status}, 201, 'a short one');
IMS::Loop::pause(2.1);
is(open_with($short->{json}{ticket})->{status}, 401,
    'a token that has ended meanwhile');

# a user has four at most

my @tickets = map { api('POST', $token)->{json}{ticket} } 1 .. 5;
my @opened = map { open_with($_)->{status} } @tickets;

is_deeply(\@opened, [ 401, 101, 101, 101, 101 ], 'the oldest goes');

# in the query, where it is named; hidden in the log

$ticket = api('POST', $token)->{json}{ticket};
my $q = IMS::Browser->open(path => "/query?a=1&ticket=$ticket&b=2");
is($q->{status}, 101, 'in the query');
is(IMS::Browser->open(path => "/query?ticket=$ticket")->{status}, 401,
    'once, too');
is(IMS::Browser->open(path => "/ims/sip?ticket=$ticket")->{status}, 401,
    'not where it is not named');

my $log = $t->read_file('access.log') // '';
unlike($log =~ s/.*ims.sip.*\n//gr, qr/\Q$ticket\E/, 'not in the log');

# a token among the subprotocols, and before a cookie

my $p = IMS::Browser->open(protocol => "sip, ims-jwt.$token", impu => $impu);
is($p->{status}, 101, 'a token as subprotocol');
is($p->register()->{code}, 200, 'of its user');
is(IMS::Browser->open(protocol => 'sip, ims-jwt.x.y.z',
    cookie => "ims_session=$token")->{status}, 401,
    'it counts, and not the cookie');
is(IMS::Browser->open(protocol => "sip, ims-ticket.$ticket",
    cookie => "ims_session=$token")->{status}, 401, 'so does a ticket');
is(IMS::Browser->open(protocol => "ims-jwt.$token")->{status}, 400,
    'without sip it is no handshake of ours');

# over a reload

$ticket = api('POST', $token)->{json}{ticket};
my @before = ims_workers($t);

$t->reload();
ok(IMS::Loop::wait_for(sub {
    !grep { my $w = $_; grep { $_ == $w } @before } ims_workers($t)
}, 8), 'reloaded');
is(open_with($ticket)->{status}, 101, 'a ticket of before');
is(open_with($ticket)->{status}, 401, 'once');

$t->stop();
unlike($t->read_file("error.log") =~ s!.*\[debug\].*\n!!gr, qr/\Q$ticket\E/,
    "nor in the error log");
