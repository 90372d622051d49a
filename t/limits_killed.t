#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Workers are killed: their sockets do not count any more, so that nobody is
# locked out by sockets that are gone. The alerts are nginx's own about the signal.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::JWT;
use IMS::Loop;
use IMS::WebSocket;
use Test::Nginx qw/ port /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->todo_alerts()->plan(13);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    workers => 2, server => 'ims_portal_limit_sockets address=20 user=3;',
    pool => 'sockets 25;', http => 'log_format pid "$pid $status";',
    sip => 'ims_portal_drain 10m; access_log %%TESTDIR%%/pid.log pid;'));

$t->run();

my $n = 0;

sub open_ws {
    my ($user) = @_;
    my $token = $jwt->token($user || 'user' . $n++);

    return IMS::WebSocket->connect(port => port(8080),
        cookie => "ims_session=$token");
}

sub status { return IMS::Browser::api('GET', path => '/ims/status')->{json} }

my @mary = map { open_ws('mary') } 1 .. 4;

is(join(' ', map { $_->{status} } @mary), '101 101 101 429', 'a user is full');

my @office = map { open_ws() } 1 .. 18;

is(join(' ', map { $_->{status} } @office), join(' ', (101) x 17, 429),
    'an address is full');

# a worker that has some of them

my %of;

$of{$_}++ for map { /^(\d+) 101$/ ? $1 : () }
    split /\n/, $t->read_file('pid.log');

my ($pid) = sort { $of{$b} <=> $of{$a} } keys %of;
my $lost = $of{$pid};

ok(kill(9, $pid), 'killed');
ok(IMS::Loop::wait_for(sub { $mary[0]->is_open() + @office
    && (grep { !$_->{sock} } @mary[0 .. 2], @office[0 .. 16]) >= $lost }),
    'its sockets are gone');

ok(IMS::Loop::wait_for(sub { status()->{limits}{healed} == $lost }, 8),
    'and are forgotten');

my @back = map { open_ws() } 1 .. $lost + 1;

is(join(' ', map { $_->{status} } @back), join(' ', (101) x $lost, 429),
    'as many may come back');

# all of them, with the leader

my @all = grep { $_ } $t->read_file('error.log')
    =~ /start worker process (\d+)/g;

$_ != $pid && kill 9, $_ for @all;

my $healed = $lost + 20;

ok(IMS::Loop::wait_for(sub {
    (eval { status()->{limits}{healed} } || 0) == $healed }, 8),
    'all workers killed: all are forgotten');

@mary = map { open_ws('mary') } 1 .. 4;
is(join(' ', map { $_->{status} } @mary), '101 101 101 429',
    'the user is not locked out');
@office = map { open_ws() } 1 .. 18;
is(join(' ', map { $_->{status} } @office), join(' ', (101) x 17, 429),
    'nor the address');
is(status()->{limits}{pool_sockets}, 0, 'nor the pool');

# over a reload they are counted

$t->reload();

# one that goes may still have taken a connection, which it refuses or closes

my $again;

IMS::Loop::wait_for(sub {
    my $gone = () = $t->read_file('error.log') =~ /gracefully shutting/g;
    return unless $gone >= 2;
    $again = open_ws('mary')->{status};
    return $again && $again != 503;
}, 30);

is($again, 429, 'counted over a reload');

# but for another size of their zone

my $conf = $t->read_file('nginx.conf');

$conf =~ s/(ims_portal_timer_t1)/ims_portal_limit_zone 512k; $1/;
$t->write_file('nginx.conf', $conf);
$t->reload();

my $ws;

ok(IMS::Loop::wait_for(sub { $ws = open_ws('mary'); $ws->{status} == 101 }, 8),
    'a zone of another size begins anew');

is(join("\n", grep { !/worker process \d+ exited on signal 9/ }
    $t->read_file('error.log') =~ /\[alert\].*/g), '', 'no other alert');
