#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The administration API: blocked users are ended, and refused in HTTP and SIP,
# after a restart, too.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Admin;
use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(38);

my $jwt = IMS::JWT->new($t);

$t->write_file('admins', "alice:{PLAIN}sesame\n");

$t->write_file_expand('nginx.conf', ims_conf(
    workers => 2, auth => 'both',
    pool => 'store ' . $t->testdir() . '/acme.store;',
    server => 'location /ims/admin/ { ims_portal_admin acme;'
        . ' auth_basic ims; auth_basic_user_file %%TESTDIR%%/admins; }'));

$t->run();

my $core = IMS::Core->new()->registrar();
my $admin = IMS::Admin->new();
my @alice = (headers => [ 'Authorization: Basic YWxpY2U6c2VzYW1l' ]);

is($admin->ask('GET', 'users/block', plain => 1)->{status}, 401,
    'an administrator has a password');

sub post { return $admin->post($_[0], $_[1], @alice) }
sub blocks { return @{$admin->get('users/block', @alice)->{json}{blocks}} }

sub browser {
    my ($user, %o) = @_;

    my $b = IMS::Browser->open(token => $jwt->token($user, %o));
    is($b->register()->{code}, 200, "$user is registered");

    return $b;
}

my @mary = map { browser('mary') } 1, 2;
my $bob = browser('bob');

is(scalar blocks(), 0, 'nobody is blocked');

my $until = time() + 600;
my $r = post('users/block', { user => 'mary', until => $until,
    reason => 'lost "laptop"' });

is($r->{status}, 200, 'mary is blocked');
is($r->{json}{until}, $until, 'until then');
is($_->closed(2), 4403, 'her sockets are closed') for @mary;

$r = IMS::Browser::api('POST', token => $jwt->token('mary',
    iat => time() + 5));
is($r->{status}, 403, 'a new token is refused');
is($r->{json}{detail}, 'user is blocked', 'with words');
is(IMS::Browser::api('GET', token => $jwt->token('mary'))->{status}, 403,
    'to read, too');
is(IMS::WebSocket->connect(port => Test::Nginx::port(8080),
    cookie => 'ims_session=' . $jwt->token('mary'))->{status}, 403,
    'in the handshake');

my $sip = IMS::Browser->open(impu => $mary[0]{impu});

$r = $sip->register(headers => [ Authorization => 'Bearer '
    . $jwt->token('mary') ]);
is($r->{code}, 403, 'in SIP');
like($r->h('Warning'), qr/user is blocked/, 'with words');

ok($bob->is_open(), 'bob is not concerned');
is(IMS::Browser::api('GET', token => $jwt->token('bob'))->{status}, 200,
    'nor are his tokens');
is(IMS::Browser::api('POST', token => $jwt->token('MARY'))->{status}, 201,
    'nor is one with a name like hers');

my @b = blocks();

is(scalar @b, 1, 'one block');
is($b[0]{user}, 'mary', 'of mary');
is($b[0]{reason}, 'lost "laptop"', 'its reason');
is($b[0]{by}, 'alice', 'who said so');
is($b[0]{issuer}, IMS::JWT::ISSUER, 'the issuer of the location');
my ($l) = $admin->get('leases?user=mary', @alice)->{json}{leases}[0];
ok($l->{blocked}, 'seen in the list of identities');
is($admin->get('', @alice)->{json}{blocked}, 1, 'and counted');

# changed, and many

post('users/block', { user => 'mary', for => 7200 });
is(scalar blocks(), 1, 'a second block is the same one');
cmp_ok((blocks())[0]{until}, '>', time() + 7000, 'but longer');
post('users/block', { user => "user $_", for => 1 }) for 1 .. 4;
is(scalar blocks(), 5, 'several');

$r = $admin->get('users/block?limit=2', @alice);
is(scalar @{$r->{json}{blocks}}, 2, 'page by page');
is(scalar @{$admin->get("users/block?limit=9&cursor=$r->{json}{next}",
    @alice)->{json}{blocks}}, 3, 'and the rest');
ok(IMS::Loop::wait_for(sub { blocks() == 1 }, 5), 'they end by themselves');

# a restart

$bob->close();
$t->stop();
unlink $t->testdir() . '/nginx.pid';
$t->run();

is(IMS::Browser::api('GET', token => $jwt->token('mary'))->{status}, 403,
    'still blocked after a restart');
is((blocks())[0]{user}, 'mary', 'still listed');

is($admin->del('users/block?user=mary', @alice)->{status}, 204, 'let in');
is($admin->del('users/block?user=mary', @alice)->{status}, 404, 'only once');
is(IMS::Browser::api('POST', token => $jwt->token('mary'))->{status}, 200,
    'she may come back');

ok(scalar($t->read_file('error.log')
    =~ /administrator "alice" at 127.0.0.1 blocks user "mary"/), 'logged');
is($admin->wrong(), '', 'as docs/admin-api.yaml says');
