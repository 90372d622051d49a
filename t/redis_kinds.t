#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Two hosts that share a pool in Redis: identities that tokens name, reserved
# ones and guests are at both what they are at one; and lists that differ.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::Host;
use IMS::JWT;
use IMS::Loop;
use IMS::Redis;
use JSON::PP ();
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->has_daemon('redis-server')
    ->plan(29);

my $jwt = IMS::JWT->new($t);
my $redis = IMS::Redis->new(dir => $t->testdir(), port => port(8979));

my @common = (quarantine => '2s', grace => '200ms',
    pool => 'share redis://127.0.0.1:%%PORT_8979%% hold=0;'
        . 'reserve user=boss identity=sip:u1@acme.example;'
        . 'guests lease=60s max=1;',
    server => 'ims_portal_claim guest guest;'
        . 'ims_portal_claim identity ims_impu;');
my $claim = 'claim=ims_impu domain=staff.acme.example';

# u3 is at one host only, u4 at the other

$t->write_file_expand('nginx.conf', ims_conf(@common,
    identity => "sip:u[1-3]\@acme.example; $claim"));
$t->run();

my $two = IMS::Host->new($t, 'two', ims_conf(@common,
    identity => "sip:u[1-2]\@acme.example; sip:u4\@acme.example; $claim",
    listen => '127.0.0.1:8082',
    listen_ims => '127.0.0.1:%%PORT_8984_UDP%% udp'));

my $core = IMS::Core->new()->registrar();
my @port = (port(8080), port(8082));

sub api {
    my ($method, $host, $user, %claims) = @_;

    my $r = IMS::Browser::api($method, token => $jwt->token($user, %claims),
        port => $port[$host]);

    return $r->{json}{identity} // $r->{status};
}

sub lease { return api('POST', @_) }
sub guest { return lease(@_, guest => JSON::PP::true()) }
sub id { return "sip:u$_[0]\@acme.example" }

# named by a token

my @mary = (ims_impu => 'sip:mary@staff.acme.example');

is(lease(0, 'mary', @mary), $mary[1], 'mary is named by her token');
is(lease(1, 'mary', @mary), $mary[1], 'at the other host, too');
is(lease(1, 'mary'), $mary[1], 'and without a name');
is(lease($_, 'bob', @mary), 409, "taken at host $_") for 0, 1;
is(lease($_, 'bob', ims_impu => 'sip:m%61ry@STAFF.acme.example'), 409,
    "in another spelling at host $_") for 0, 1;
is(lease(1, 'bob', ims_impu => 'sip:bob@elsewhere.example'), 403,
    'not of this pool');
is(api('DELETE', 1, 'mary', @mary), 204, 'she gives it back');
is(lease($_, 'bob', @mary), 409, "it rests at host $_") for 0, 1;

my $got;

IMS::Loop::wait_for(sub {
    IMS::Loop::pause(0.2);
    return ($got = lease(0, 'bob', @mary)) ne '409';
}, 5);

is($got, $mary[1], 'and is somebody else\'s then');
is(lease(1, 'mary', @mary), 409, 'not hers any more');

# reserved

is(lease(1, 'ann', ims_impu => id(1)), 403, 'not by name');
is(lease(1, 'boss'), id(1), 'the boss has what is kept for him');
is(lease(0, 'boss'), id(1), 'at the other host, too');

# what one host has only

is(lease(0, 'carol', ims_impu => id(3)), id(3), 'one that host 0 has');

my $carol = IMS::Browser->open(token => $jwt->token('carol'));
is($carol->register()->{code}, 200, 'carol has a browser there');

ok(IMS::Loop::wait_for(sub { $redis->ask('HGET', '{ims:acme}:i:' . id(3),
    'b') }, 5), 'the server knows');
is(lease(1, 'carol'), 409, 'host 1 has not that one, and she is there');
is(lease(0, 'carol'), id(3), 'it is hers');

$carol->close();

ok(IMS::Loop::wait_for(sub { !$redis->ask('HGET', '{ims:acme}:i:' . id(3),
    'b') }, 8), 'she left');

is(lease(1, 'carol'), id(2), 'host 1 gives her one of its own');
ok(IMS::Loop::wait_for(sub { lease(0, 'carol') eq id(2) }, 3),
    'host 0 hears of it');
is(lease(1, 'dave'), id(4), 'the last one of host 1');
is(lease(0, 'dave'), 503, 'host 0 has none for him: what it had rests');

# guests: so many at each host, one identity at a time

is(guest(1, 'guest'), 503, 'none is free for a guest');

IMS::Loop::wait_for(sub {
    IMS::Loop::pause(0.2);
    return ($got = guest(0, 'guest')) ne '503';
}, 5);

is($got, id(3), 'a guest at host 0');
is(guest(0, 'other'), 503, 'and no other');

# a sub holds it: the two tests of its own come now, not too late

undef $two;
undef $t;
