#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Several workers: each browser is reached and answered wherever its socket and
# the core's datagrams are.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Call qw/ call_up call_down hang_up /;
use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::NG;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $count = 12;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(9);

my $jwt = IMS::JWT->new($t);

# reuseport deals the sockets out by hash: with twelve of them it is all but
# sure that each worker has some

$t->write_file_expand('nginx.conf', ims_conf(
    workers => 3, listen => '127.0.0.1:8080 reuseport',
    media => 'unix:%%TESTDIR%%/ng.sock',
    http => 'log_format pid "$pid $uri $status";',
    sip => 'access_log %%TESTDIR%%/pid.log pid;'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my @users = map { IMS::Browser->open(token => $jwt->token("user$_")) }
    1 .. $count;

is(scalar(grep { $_->register()->{code} == 200 } @users), $count,
    'all registered');

my %seen = map { $_->{impu} => 1 } @users;
is(scalar keys %seen, $count, 'all identities distinct');

my %pid = map { $_ => 1 } $t->read_file('pid.log') =~ m!^(\d+) /ims/sip 101!mg;
cmp_ok(scalar keys %pid, '>=', 2, 'sockets on several workers');

# each gets its own message, and answers it

my ($got, $answered) = (0, 0);

for my $user (@users) {
    $core->terminating('MESSAGE', to => $user->{impu},
        body => "for $user->{impu}");
    my $msg = $user->expect('MESSAGE', 2) or next;
    $got++ if $msg->{body} eq "for $user->{impu}";
    $user->reply($msg, 200, 'OK');
    my $ok = $core->final('MESSAGE', 2);
    $answered++ if $ok && $ok->{code} == 200;
}

is($got, $count, 'all reached by the core');
is($answered, $count, 'all answers at the core');

# each sends one, and gets the answer

$answered = 0;

for my $user (@users) {
    $user->start('MESSAGE', body => 'x');
    my $msg = $core->expect('MESSAGE', 2) or next;
    $core->reply($msg, 200, 'OK');
    my $ok = $user->final('MESSAGE', 2);
    $answered++ if $ok && $ok->{code} == 200;
}

is($answered, $count, 'all answered by the core');

# and has a call each way

my ($up, $down) = (0, 0);

for my $user (@users) {
    my $call = eval { call_up($user, $core) };
    $up++ if $call && hang_up($core, $call->{core}, $user) == 200;
    $call = eval { call_down($user, $core) };
    $down++ if $call && hang_up($user, $call->{web}, $core) == 200;
}

is($up, $count, 'calls up');
is($down, $count, 'calls down');

$ng->wait_for('delete', 2 * $count);
is(scalar $ng->seen('delete'), 2 * $count, 'all deleted once');

$_->close() for @users;
