#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The server that hosts share is not there, stands still, and is back: who is
# known goes on, who is new is told when to try again, by HTTP and by SIP.

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
use IMS::Redis;
use Test::Nginx;
use Time::HiRes qw/ time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->has_daemon('redis-server')
    ->plan(20);

my $jwt = IMS::JWT->new($t);
my $redis = IMS::Redis->new(dir => $t->testdir(), port => port(8979));

$t->write_file_expand('nginx.conf', ims_conf(auth => 'both',
    pool => 'share redis://127.0.0.1:%%PORT_8979%% hold=0 timeout=300ms;'));
$t->run();

my $core = IMS::Core->new()->registrar();

sub api {
    my ($method, $user) = @_;

    return IMS::Browser::api($method, token => $jwt->token($user));
}

sub share {
    return IMS::Browser::api('GET', path => '/ims/status')
        ->{json}{pools}[0]{share};
}

sub new_user {
    my ($what, $user) = @_;

    my $from = time();
    my $r = api('POST', $user);

    is($r->{status}, 503, "$what: new user");
    like($r->{head}, qr/^Retry-After: [1-9]/mi, "$what: when to try again");
    cmp_ok(time() - $from, '<', 2 * $IMS::Loop::SLOW, "$what: soon");
}

my $mary = api('POST', 'mary')->{json}{identity};

ok($mary, 'mary is known');

my $b = IMS::Browser->open(token => $jwt->token('mary'));

is($b->register()->{code}, 200, 'and registered');

# it stands still

$redis->pause();

new_user('paused', 'one');
is($b->register()->{code}, 200, 'paused: mary registers again');
is(api('POST', 'mary')->{json}{identity}, $mary, 'paused: has her identity');

# by SIP

my $new = IMS::Browser->open(token => $jwt->token('two'), lease => 0,
    impu => 'sip:u150@acme.ims.operator.example');
my $answer = $new->register();

is($answer->{code}, 503, 'paused: SIP 503');
like($answer->h('Retry-After') // '', qr/^[1-9]\d*$/,
    'paused: Retry-After');

# and goes on: what it was asked for too late has not happened

$redis->go();

ok(IMS::Loop::wait_for(sub { share()->{connected} }, 5), 'back');
is(scalar(grep { /:i:/ } $redis->keys()), 1,
    'nobody has what he was not told of');
is(api('POST', 'one')->{status}, 201, 'back: new user');

# it is not there

$redis->kill_it();
IMS::Loop::wait_for(sub { !share()->{connected} }, 5);

new_user('refused', 'three');
is(api('POST', 'mary')->{json}{identity}, $mary, 'refused: mary goes on');

$redis->start();

ok(IMS::Loop::wait_for(sub { share()->{connected} }, 5), 'started');
ok(IMS::Loop::wait_for(sub { $redis->ask('GET', '{ims:acme}:u:'
    . $redis->ask('HGET', "{ims:acme}:i:$mary", 'u')) }, 5),
    'it is told of mary');
is($redis->ask('HGET', "{ims:acme}:i:$mary", 'b') ? 1 : 0, 1,
    'and of her browser');
is(api('POST', 'three')->{status}, 201, 'new users are served');
