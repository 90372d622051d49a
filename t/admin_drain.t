#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The administration API: a host that is taken out of service.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Admin;
use IMS::Browser;
use IMS::Call;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(36);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    workers => 2, media => 'unix:%%TESTDIR%%/ng.sock', auth => 'both',
    server => 'ims_portal_drain 1s; ims_portal_ticket on;'
        . ' location /ims/admin/ { ims_portal_admin acme; }'
        . ' location /ims/all/ { ims_portal_admin *; }'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $admin = IMS::Admin->new();
my $all = IMS::Admin->new(base => '/ims/all/');

sub api { return IMS::Browser::api(@_) }

sub socket_of {
    my ($user) = @_;

    return IMS::WebSocket->connect(port => Test::Nginx::port(8080),
        cookie => 'ims_session=' . $jwt->token($user));
}

my ($mary, $bob, $carol) = map { IMS::Browser->open(token => $jwt->token($_)) }
    qw/ mary bob carol /;

is($_->register()->{code}, 200, 'registered') for $mary, $bob, $carol;
IMS::Call::call_up($mary, $core);

my $r = $admin->get('drain');

ok(!$r->{json}{on}, 'in service');
is($r->{json}{sockets}, 3, 'with sockets');

# nobody new

$r = $admin->post('drain', { on => \1 });
is($r->{status}, 200, 'out of service');
ok($r->{json}{on}, 'which is told');
ok(!$r->{json}{close}, 'nobody is sent away');
cmp_ok(abs($r->{json}{since} - time()), '<', 10, 'since now');

$r = api('POST', token => $jwt->token('dave'));
is($r->{status}, 503, 'a new user gets nothing');
like($r->{head}, qr/^Retry-After: 30\b/mi, 'and is told when to ask again');

my $ws = socket_of('dave');
is($ws->{status}, 503, 'no socket');
like($ws->{head}, qr/^Retry-After: 30\b/mi, 'nor when');

my $sip = IMS::Browser->open(impu => $bob->{impu});
$r = $sip->register(headers => [ Authorization => 'Bearer '
    . $jwt->token('erin') ]);
is($r->{code}, 503, 'nor in SIP');
is($r->h('Retry-After'), '30', 'and is told there, too');
$sip->close();

is(api('POST', token => $jwt->token('bob'))->{status}, 200,
    'who has an identity goes on');
is(socket_of('bob')->{status}, 101, 'and may have a socket');
is($bob->register()->{code}, 200, 'and register');

my $ticket = api('PUT', token => $jwt->token('bob'),
    headers => [ 'Prefer: ticket' ])->{json}{ticket};

# and they are sent away

$r = $admin->post('drain', { on => \1, close => \1 });
ok($r->{json}{close}, 'they are sent away');
is($_->closed(4), 1012, 'whoever is in no call') for $bob, $carol;
ok($mary->is_open(), 'mary is in one');
is(socket_of('bob')->{status}, 503, 'he is not let in again');
is(IMS::WebSocket->connect(port => Test::Nginx::port(8080),
    protocol => "sip, ims-ticket.$ticket")->{status}, 503,
    'nor by a ticket');
is(socket_of('mary')->{status}, 101, 'but she would be, with her call');
is($mary->register()->{code}, 200, 'and goes on meanwhile');

kill 'HUP', $t->read_file('nginx.pid');
ok(IMS::Loop::wait_for(sub { 3 <= ims_workers($t) }, 5), 'reloaded');
ok($admin->get('drain')->{json}{close}, 'it stays so over a reload');
is(socket_of('bob')->{status}, 503, 'for new workers');

$r = $admin->get('');
ok($r->{json}{drain}{on}, 'seen in the overview');

# back, all pools at once

$r = $all->ask('POST', 'drain', json => { on => \0 }, plain => 1);
is($r->{json}{pools}[0]{pool}, 'acme', 'all pools');
ok(!$r->{json}{pools}[0]{on}, 'back in service');
# an old worker may still have the connection that asks

ok(IMS::Loop::wait_for(sub { socket_of('bob')->{status} == 101 }, 3),
    'he is let in');
is(api('POST', token => $jwt->token('dave'))->{status}, 201, 'a new user, too');

ok(scalar($t->read_file('error.log')
    =~ /administrator "" at 127.0.0.1 empties pool "acme"/), 'logged');
is($admin->wrong(), '', 'as docs/admin-api.yaml says');
