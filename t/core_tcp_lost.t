#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Connections that fail: refused, lost with requests under way, not read from,
# not used.

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
use Test::Nginx qw/ port /;
use Time::HiRes qw/ time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(17);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(t1 => '500ms',
    listen_ims => '127.0.0.1:%%PORT_8980%% tcp',
    server_ims => '127.0.0.1:%%PORT_8981%% transport=tcp fail_timeout=60s',
    core => 'server 127.0.0.1:%%PORT_8982%% transport=tcp backup max_fails=0;'
        . 'probe off; stream_buffer 128k; stream_idle 2s;'));
$t->run();

my $second = IMS::Core->new(transport => 'tcp', port => port(8982))
    ->registrar();
my $first = IMS::Core->new(transport => 'tcp')->registrar();
my $bob = IMS::Browser->open(token => $jwt->token('bob'));

is($bob->register()->{code}, 200, 'registered at the first');

# lost in the middle, and there is another server

$bob->start('MESSAGE', body => 'again');
ok($first->expect('MESSAGE'), 'request at the first');
$first->down();

my $again = $second->expect('MESSAGE', 2);
is($again->{body}, 'again', 'it goes to the second');
$second->reply($again, 200, 'OK');
is($bob->final('MESSAGE')->{code}, 200, 'answered');

my $mary = IMS::Browser->open(token => $jwt->token('mary'));

my $start = time();
is($mary->register()->{code}, 200, 'another registers at the second');
cmp_ok(time() - $start, '<', 2, 'soon');

# and there is none: no browser waits for a time-out

$mary->start('MESSAGE', body => 'x');
ok($second->expect('MESSAGE'), 'request at the core');
$start = time();
$second->down();
like($mary->final('MESSAGE', 5)->{code}, qr/^50[03]$/, 'refused');
cmp_ok(time() - $start, '<', 2, 'at once');

$second->up();

# one that does not read: a limit, and the others are told

$mary->start('MESSAGE', body => 'first');
my $msg = $second->expect('MESSAGE');
$second->reply($msg, 200, 'OK');
is($mary->final('MESSAGE')->{code}, 200, 'works again');

my $code = 0;

# more than the kernel takes; no browser has as many requests as it may

my @users = map { IMS::Browser->open(token => $jwt->token("user$_")) } 1 .. 4;
$second->{on}{MESSAGE} = sub { $_[0]->reply($_[1], 200, 'OK') };
$_->register() for @users;
$_->{deaf} = 1 for @{$second->{conns}};

for my $n (1 .. 240) {
    my $user = $users[$n % 4];

    $user->start('MESSAGE', body => 'x' x 60000);
    IMS::Loop::pause(0.002);
    my $answer = $user->expect('5xx MESSAGE', 0.002);
    $code = $answer->{code} and last if $answer;
}

is($code, 503, 'too much is waiting');
like($t->read_file('error.log'), qr/bytes unsent, a message was dropped/,
    'and that is said');

# it reads again: all is there

$_->{deaf} = 0 for @{$second->{conns}};
is($users[0]->expect('200 MESSAGE')->{code}, 200, 'it goes on');

# not used

my $conns = @{$second->{conns}};
cmp_ok($conns, '>=', 1, 'connected');
ok(IMS::Loop::wait_for(sub { !@{$second->{conns}} }, 6),
    'closed when it is not used');
is($mary->ask('MESSAGE', body => 'y')->{code}, 200, 'and opened again');
cmp_ok(scalar @{$second->{conns}}, '>=', 1, 'connected again');

$mary->close();
