#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# One client floods with messages and handshakes; another one hardly notices.

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
use IMS::WebSocket;
use POSIX ();
use Test::Nginx qw/ port /;
use Time::HiRes ();

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(9);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf());
$t->run();

my $core = IMS::Core->new()->registrar();

$core->{on}{MESSAGE} = sub { $_[0]->reply($_[1], 200, 'OK') };

my $bob = IMS::Browser->open(token => $jwt->token('bob'));

is($bob->register()->{code}, 200, 'somebody is there');

# a client of its own process: 20,000 messages in as few sockets as it gets

my $eve = IMS::Browser->open(token => $jwt->token('eve'));
my @token = map { $jwt->token("eve$_") } 1 .. 10;

$eve->register();

my $message = join '', map { IMS::WebSocket::frame_bytes(1,
    $eve->start('MESSAGE', to => "sip:x$_\@ims.operator.example", body => 'x')
        ->bytes()) } 1 .. 100;

$eve->forget();
IMS::Loop::pause(0.2);

my $pid = fork();

if ($pid == 0) {
    local $SIG{PIPE} = 'IGNORE';
    my ($n, $sent, $ws) = (0, 0);

    while ($n++ < 2000) {
        $ws = eval { IMS::WebSocket->connect(port => port(8080),
            cookie => 'ims_session=' . $token[$n % 10]) };

        next if !$ws || $ws->{status} != 101 || $sent >= 20000;

        for (1 .. 10) {
            $ws->write($message) or last;
            $sent += 100;
        }
    }

    POSIX::_exit($sent >= 20000 ? 0 : 1);
}

my ($worst, $n, $bad, $gone) = (0, 0, 0, 0);

while (!$gone) {
    my $since = Time::HiRes::time();
    my $r = $bob->ask('MESSAGE', body => 'y');

    $bad++ unless $r && $r->{code} == 200;
    $n++;

    my $took = Time::HiRes::time() - $since;
    $worst = $took if $took > $worst;

    $gone = waitpid $pid, POSIX::WNOHANG();
    IMS::Loop::pause(0.05);
}

is($? >> 8, 0, '20,000 messages and 2,000 handshakes of one client');
cmp_ok($n, '>', 10, "$n messages of somebody else meanwhile");
is($bad, 0, 'each was answered by the core');
cmp_ok($worst, '<', 1 * $IMS::Loop::SLOW, 'within a second');
note("worst: $worst s");

my $status = IMS::Browser::api('GET', path => '/ims/status')->{json};

cmp_ok($status->{limits}{user_handshakes}, '>', 1000, 'handshakes refused');
cmp_ok($status->{limits}{floods} + $status->{limits}{frames}, '>', 5,
    'sockets closed');

my @lines = split /\n/, $t->read_file('error.log');
cmp_ok(scalar(grep { /\[warn\]/ } @lines), '<', 50, 'few warnings');

is($bob->ask('MESSAGE', body => 'z')->{code}, 200, 'as before');
