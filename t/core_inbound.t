#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Requests of the core by TCP with several workers: a request comes to one, the
# browser is at another, the answer goes back on the same connection. Strangers
# are not let in.

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

my $count = 8;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(9);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    workers => 3, listen => '127.0.0.1:8080 reuseport',
    listen_ims => '127.0.0.1:%%PORT_8980%% tcp',
    server_ims => '127.0.0.1:%%PORT_8981%% transport=tcp',
    core => 'stream_connections 2; udp_max off;',
    http => 'log_format pid "$pid $uri $status";',
    sip => 'access_log %%TESTDIR%%/pid.log pid;'));
$t->run();

my $core = IMS::Core->new(transport => 'tcp')->registrar();
my @users = map { IMS::Browser->open(token => $jwt->token("user$_")) }
    1 .. $count;

is(scalar(grep { $_->register()->{code} == 200 } @users), $count,
    'all registered');

my %pid = map { $_ => 1 } $t->read_file('pid.log') =~ m!^(\d+) /ims/sip 101!mg;
cmp_ok(scalar keys %pid, '>=', 2, 'sockets on several workers');

my ($reached, $answered, $same) = (0, 0, 0);

sub message {
    my ($user, $text) = @_;

    $core->terminating('MESSAGE', to => $user->{impu}, body => $text);

    my $msg = $user->expect('MESSAGE', 2) or return;

    $reached++ if $msg->{body} eq $text;
    $user->reply($msg, 200, 'OK');

    my $answer = $core->final('MESSAGE', 2) or return;

    $answered++ if $answer->{code} == 200;
    $same++ if $answer->{from} == $core->{own};
}

message($_, "for $_->{impu}") for @users;

is($reached, $count, 'all reached through one connection');
is($answered, $count, 'all answered');
is($same, $count, 'on that connection');

# 64 KiB go to another worker and back, too

$reached = 0;
message($_, 'z' x 60000) for @users;
is($reached, $count, 'long ones reach all');

# the connection ends before the answer: it goes to where the Via says

my $late = 0;

for my $user (@users) {
    $core->terminating('MESSAGE', to => $user->{impu}, body => 'late');
    my $msg = $user->expect('MESSAGE', 2) or next;
    $core->{own}->close();
    delete $core->{own};
    IMS::Loop::pause(0.05);
    $user->reply($msg, 200, 'OK');
    $late++ if $core->final('MESSAGE', 2)->{code};
}

is($late, $count, 'late answers find their way');

# strangers, and too many

my $stranger = IO::Socket::INET->new(LocalAddr => '127.0.0.2',
    PeerAddr => '127.0.0.1', PeerPort => port(8980));
is(Test::Nginx::http('', socket => $stranger) || '', '',
    'a stranger is closed at once');
like($t->read_file('error.log'),
    qr/refused 1 datagrams or connections .*from 127\.0\.0\.2/, 'and counted');

$_->close() for @users;
