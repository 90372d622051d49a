#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Two hosts that share a block of identities in Redis: a user has the same one
# at both, no two users have one, and what is given back rests at both.

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
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->has_daemon('redis-server')
    ->plan(28);

my $jwt = IMS::JWT->new($t);
my $redis = IMS::Redis->new(dir => $t->testdir(), port => port(8979));

my $share = 'share redis://127.0.0.1:%%PORT_8979%% hold=0;';
my @common = (workers => 2, pool => $share, quarantine => '3s',
    identity => 'sip:u[01-50]@acme.ims.operator.example '
        . 'impi=$user@ims.operator.example');

$t->write_file_expand('nginx.conf', ims_conf(@common));
$t->run();

my $two = IMS::Host->new($t, 'two', ims_conf(@common,
    listen => '127.0.0.1:8082',
    listen_ims => '127.0.0.1:%%PORT_8984_UDP%% udp'));

my @port = (port(8080), port(8082));

sub api {
    my ($host, $method, $user, %o) = @_;

    return IMS::Browser::api($method, token => $jwt->token($user),
        port => $port[$host], %o);
}

sub identity { return api(@_)->{json}{identity} }

# one user

my $r = api(0, 'POST', 'mary');

is($r->{status}, 201, 'mary leases at one host');
is(api(0, 'POST', 'mary')->{status}, 200, 'has it');

my $mary = $r->{json}{identity};

$r = api(1, 'POST', 'mary');

is($r->{status}, 200, 'has it at the other host, too');
is($r->{json}{identity}, $mary, 'the same');
is(identity(1, 'GET', 'mary'), $mary, 'and reads it there');

is(api(1, 'GET', 'nobody')->{status}, 404, 'nobody has none');

# many: each at one host, then at the other

my (%of, %first, $bad);

for my $n (1 .. 40) {
    my $identity = identity($n % 2, 'POST', "user$n") // 'none';

    $bad .= "$identity of user$n is that of $of{$identity}; "
        if $of{$identity};
    $of{$identity} = $first{"user$n"} = $identity;
}

is($bad, undef, '40 users, no identity twice');
isnt($of{$mary}, 1, 'nor that of mary');

my @moved = grep { identity(1 - $_ % 2, 'POST', "user$_") ne $first{"user$_"} }
    1 .. 40;

is("@moved", '', 'all have theirs at the other host');

# the rest of the block, and no more

my @more = map { api($_ % 2, 'POST', "more$_")->{status} } 1 .. 9;

is("@more", join(' ', (201) x 9), 'the last ones');

for my $host (0, 1) {
    $r = api($host, 'POST', "toomany$host");
    is($r->{status}, 503, "none is left at host $host");
    like($r->{head}, qr/^Retry-After: [1-9]\d*\r$/mi, 'when to try again');
}

# SIP, too, and the identity is what was leased at the other host

my $core = IMS::Core->new()->registrar();
my $b = IMS::Browser->open(token => $jwt->token('user7'));

is($b->register()->{code}, 200, 'registers');
is($b->{impu}, $first{user7}, 'with the identity of the other host');
$b->close();

# what the hosts say of themselves

my $status = IMS::Browser::api('GET', path => '/ims/status')
    ->{json}{pools}[0]{share};

is($status->{connected}, JSON::PP::true(), 'connected');
cmp_ok($status->{asked}, '>', 20, 'round trips are counted');
is($status->{lost}, 0, 'no conflicts');

# keys end by themselves

my @keys = $redis->keys();

is(scalar(grep { /^\{ims:acme\}:/ } @keys), scalar @keys,
    'all keys have one tag');
is(scalar(grep { /:i:/ } @keys), 50, 'an identity each');
is(scalar(grep { /:[iu]:/ && $redis->ask('TTL', $_) < 43000 } @keys), 0,
    'they live as long as lease and quarantine');
unlike(join(' ', map { "$_ " . ($redis->ask('TYPE', $_) eq 'hash'
    ? join ' ', @{$redis->ask('HVALS', $_)} : '') } @keys),
    qr/user7|mary/, 'no names in them');

# a worker that asks at the same moment as others

my @sockets = map { IMS::Browser::api('GET', port => $port[$_ % 2],
    token => $jwt->token('user3')) } 1 .. 4;

is(scalar(grep { $_->{json}{identity} eq $first{user3} } @sockets), 4,
    'readers agree');

is($t->read_file('error.log') =~ /\[error\]/ ? 1 : 0, 0, 'no errors');
is($two->alerts(), '', 'no alerts at the other host');
is(scalar(() = $two->log() =~ /is connected/g), 2, 'each worker connects once');

$two->stop();

ok(1, 'stopped');
