#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Connections with a core that does not read, or that reads slowly, or that does
# not answer pings; and that all are counted when they end.

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
use IO::Socket::INET;
use Test::Nginx qw/ port /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http stub_status /)->plan(9);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(t1 => '500ms',
    listen_ims => '127.0.0.1:%%PORT_8980%% tcp',
    server_ims => '127.0.0.1:%%PORT_8981%% transport=tcp max_fails=0',
    core => 'probe off; stream_buffer 64k; stream_idle 1s;
        stream_keepalive 250ms; timeout 30s;',
    http => 'log_format pid "$pid";',
    sip => 'access_log %%TESTDIR%%/pid.log pid;',
    server => 'location = /stub { stub_status; }'));
$t->run();

sub active {
    my $body = IMS::Browser::api('GET', path => '/stub')->{body};

    return $body =~ /Active connections: (\d+)/ ? $1 : -1;
}

my $core = IMS::Core->new(transport => 'tcp')->registrar();
my $before = active();

# those of the core are counted while they are open, strangers as well

my @own = map { $core->dial() } 1 .. 3;

ok(IMS::Loop::wait_for(sub { active() == $before + 3 }, 2),
    'connections of the core are active');
$_->close() for @own;

my $stranger = IO::Socket::INET->new(LocalAddr => '127.0.0.2',
    PeerAddr => '127.0.0.1', PeerPort => port(8980));
is(Test::Nginx::http('', socket => $stranger) || '', '', 'stranger');
ok(IMS::Loop::wait_for(sub { active() == $before }, 2),
    'and no more when they are closed');

# A core that never answers a ping is none that has stopped to: messages of its
# own are not answers

my $mary = IMS::Browser->open(token => $jwt->token('mary'));

is($mary->register()->{code}, 200, 'registered');

for (1 .. 3) {
    IMS::Loop::pause(0.3);
    $core->{reuse} = 1;
    $core->terminating('MESSAGE', to => $mary->{impu}, body => 'x');
    $mary->reply($mary->expect('MESSAGE'), 200, 'OK');
    $core->final('MESSAGE');
}

IMS::Loop::pause(0.8);
unlike($t->read_file('error.log'), qr/does not answer keep-alives/,
    'nobody misses answers that never came');

# more than the kernel takes, and nobody reads

my @users = map { IMS::Browser->open(token => $jwt->token("user$_")) } 1 .. 4;

$core->{on}{MESSAGE} = sub { $_[0]->reply($_[1], 200, 'OK') };
$_->register() for @users;
$_->{deaf} = 1 for @{$core->{conns}};

my $refused = 0;

# until the kernel really has all that it takes

for my $n (1 .. 400) {
    my $user = $users[$n % 4];

    $user->start('MESSAGE', body => 'x' x 30000);
    $refused++ while $user->expect('503 MESSAGE', 0.005);
    IMS::Loop::pause(0.05) if $refused;
    last if $refused > 30;
}

cmp_ok($refused, '>', 30, 'too much is waiting');

# filled to the last bytes: not even a ping has room

for my $n (0 .. 3300) {
    $users[$n % 4]->start('MESSAGE', body => 'x' x (10000 - $n * 3));
    IMS::Loop::pause(0.001) unless $n % 20;
}

# waiting must not cost anything

sub switches {
    my ($pid) = $t->read_file('pid.log') =~ /^(\d+)/m;

    open my $fh, '<', "/proc/$pid/status" or return 0;

    return (map { /^voluntary_ctxt_switches:\s+(\d+)/ } <$fh>)[0];
}

IMS::Loop::pause(1.2);

my $switches = switches();

IMS::Loop::pause(2);
cmp_ok(switches() - $switches, '<', 500 * $IMS::Loop::SLOW,
    'the worker sleeps');

# in the end it is left

ok(IMS::Loop::wait_for(sub {
    $t->read_file('error.log') =~ /connection is not read from/ }, 10),
    'a connection that is not read from is closed');

$core->hang_up();

is($mary->ask('MESSAGE', body => 'y')->{code}, 200, 'and a new one opened');

$mary->close();

# a sub holds it: the two tests of its own come now, not too late

undef $t;
