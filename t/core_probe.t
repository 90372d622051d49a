#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# OPTIONS to the servers: by one worker, known to all; a dead server costs no
# browser any time, one that is back is used at once; the leader is replaced.

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
use IMS::SIP;
use Time::HiRes qw/ time /;
use Test::Nginx qw/ port /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->todo_alerts()->plan(21);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    workers => 2, listen => '127.0.0.1:8080 reuseport',
    core => 'server 127.0.0.1:%%PORT_8982_UDP%%;
        probe 200ms fails=2 timeout=150ms; timeout 30s;'));

# before nginx, whose first probes they would miss

my $one = IMS::Core->new()->registrar();
my $two = IMS::Core->new(port => port(8982, udp => 1))->registrar();

$_->{take_probes} = 1 for $one, $two;

my %leader;

# answers every probe with a code, 0: not at all

sub probes {
    my ($core, $code) = @_;

    $core->{on}{OPTIONS} = sub {
        my ($core, $msg) = @_;

        my ($pid) = $msg->branch() =~ /^z9hG4bK.{8}(.{8})/;
        $leader{$core->{pid} = hex $pid}++;
        push @{$core->{probed}}, $msg;
        $core->reply($msg, $code, 'As told') if $code;
    };
}

sub probed {
    my ($core, $n) = @_;

    my $have = @{$core->{probed} || []};

    return IMS::Loop::wait_for(sub { @{$core->{probed} || []} >= $have + $n },
        4);
}

# a named one would keep $t until it is too late for todo_alerts()

my $logged = sub {
    my ($pattern) = @_;

    return IMS::Loop::wait_for(sub {
        $t->read_file('error.log') =~ /$pattern/ ? 1 : 0 }, 5);
};

probes($one, 200);
probes($two, 404);

$t->run();

ok(probed($one, 3), 'the first server is probed');
ok(probed($two, 1), 'and the second');
is(scalar keys %leader, 1, 'by one worker');

my $msg = $one->{probed}[0];

is(IMS::SIP::uri_of($msg->h('From')), 'sip:ims.operator.example', 'From');
is(IMS::SIP::uri_of($msg->h('To')), 'sip:ims.operator.example', 'To');
is($msg->{uri}, 'sip:' . $one->host(), 'Request-URI');
is($msg->h('Max-Forwards'), 70, 'Max-Forwards');

# the second falls silent

my ($first, $second) = map { port($_, udp => 1) } 8981, 8982;

unlike($t->read_file('error.log'), qr/does not answer/, '404 is an answer');
probes($two, 0);
ok($logged->(qr/server "127.0.0.1:$second" of .* does not answer/), 'found');

my %up = map { $_->{address} => $_->{up} ? 1 : 0 }
    @{IMS::Browser::api('GET', path => '/ims/status')
        ->{json}{cores}[0]{servers}};
is_deeply(\%up, { "127.0.0.1:$first" => 1, "127.0.0.1:$second" => 0 },
    'the status says so');

my @users;

sub register_some {
    my ($from, $to) = @_;
    my $longest = 0;

    for my $n ($from .. $to) {
        my $user = IMS::Browser->open(token => $jwt->token("user$n"));
        my $start = time();
        $user->register();
        my $took = time() - $start;
        $longest = $took if $took > $longest;
        push @users, $user;
    }

    return $longest;
}

cmp_ok(register_some(1, 8), '<', 0.1 * $IMS::Loop::SLOW, 'nobody waits');
is(scalar $two->seen('REGISTER'), 0, 'nobody was sent there');

# it is back

probes($two, 200);
ok($logged->(qr/server "127.0.0.1:$second" of .* is back/), 'found again');
register_some(9, 16);
cmp_ok(scalar $two->seen('REGISTER'), '>=', 2, 'used again');

# 503 says that it is of no use

probes($one, 503);
ok($logged->(qr/server "127.0.0.1:$first" of .* does not answer/), '503 is none');
probes($one, 200);
ok($logged->(qr/server "127.0.0.1:$first" of .* is back/), 'back');

# the leader is killed

is(scalar keys %leader, 1, 'one leader all the time');

my ($pid) = keys %leader;

ok(kill(9, $pid), 'killed');
ok(IMS::Loop::wait_for(sub { keys %leader > 1 }, 5), 'another one probes');
isnt($one->{pid}, $pid, 'not the dead one');

is(join("\n", grep { !/worker process $pid exited on signal 9/ }
    $t->read_file('error.log') =~ /\[alert\].*/g), '', 'no other alert');

$_->drop() for @users;
