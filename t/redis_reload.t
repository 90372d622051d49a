#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A configuration is read again, or nginx is told to end, while a server that
# hosts share owes an answer: whoever waits for it gets one.

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
use IO::Socket::INET;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->has_daemon('redis-server')
    ->plan(8);

my $jwt = IMS::JWT->new($t);
my $redis = IMS::Redis->new(dir => $t->testdir(), port => port(8979));

$t->write_file_expand('nginx.conf', ims_conf(workers => 1, auth => 'both',
    shutdown => '10s',
    pool => 'share redis://127.0.0.1:%%PORT_8979%% hold=0 timeout=3s;'));
$t->run();

my $core = IMS::Core->new()->registrar();

sub ask {
    my ($user) = @_;

    my $s = IO::Socket::INET->new(Proto => 'tcp',
        PeerAddr => '127.0.0.1:' . port(8080)) or die "connect: $!\n";

    print $s "POST /ims/session HTTP/1.1\r\nHost: localhost\r\n"
        . 'Authorization: Bearer ' . $jwt->token($user) . "\r\n"
        . "Content-Length: 0\r\nConnection: close\r\n\r\n";

    return $s;
}

sub answer {
    my ($s, $seconds) = @_;
    my $got = '';

    local $SIG{ALRM} = sub { die "late\n" };

    eval {
        alarm $seconds * $IMS::Loop::SLOW;
        1 while sysread $s, $got, 4096, length $got;
    };
    alarm 0;

    return $got =~ m!^HTTP/1.1 (\d+)! ? $1 : $got;
}

sub exits { my $n = () = $t->read_file('error.log') =~ /exited with code/g; $n }

is(answer(ask('mary'), 5), 201, 'mary');

# answered while the former worker ends

$redis->pause();
my $s = ask('bob');
my $sip = IMS::Browser->open(token => $jwt->token('two'), lease => 0,
    impu => 'sip:u003@acme.ims.operator.example');
$sip->emit($sip->register_request()->bytes());
IMS::Loop::pause(0.3);
$t->reload();
IMS::Loop::pause(0.7);
$redis->go();

is(answer($s, 5), 201, 'reloaded: bob is answered');

my $r = eval { $sip->final('REGISTER') };
is($r ? $r->{code} : "none: $@", 200, 'by SIP, too');
$sip->close();

# never answered

ok(IMS::Loop::wait_for(sub { exits() >= 1 }, 8), 'the former worker ended');

$redis->pause();
$s = ask('carol');
IMS::Loop::pause(0.3);
$t->reload();

is(answer($s, 8), 503, 'reloaded: carol is told that there is no answer');
ok(IMS::Loop::wait_for(sub { exits() >= 2 }, 8), 'the former worker ended');

# told to end at once

$redis->go();
ok(IMS::Loop::wait_for(sub { IMS::Browser::api('GET', path => '/ims/status')
    ->{json}{pools}[0]{share}{connected} }, 5), 'connected');
$redis->pause();

$s = ask('dave');
IMS::Loop::pause(0.3);
$t->stop();
like(answer($s, 3), qr/^(?:503|)$/, 'ended: dave has no identity');
$redis->go();

# a sub holds it: the two tests of its own come now, not too late

undef $t;
