#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Credentials for TURN servers: a real one, coturn, takes ours, and none that
# was altered, is of another secret, or has ended.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::JWT;
use IMS::Loop;
use Test::Nginx qw/ port /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(8);

my $dir = $t->testdir();
my $jwt = IMS::JWT->new($t);

$t->write_file('turn.secret', "a secret of turn\n");
chmod 0600, "$dir/turn.secret";

$t->write_file_expand('nginx.conf', ims_conf(server =>
    'ims_portal_turn turn:127.0.0.1:%%PORT_8982_UDP%%
        secret_file=%%TESTDIR%%/turn.secret ttl=1h;'));

$t->run_daemon('turnserver', '-n', '--no-stdout-log', '--log-file',
    "$dir/turn.log", '--pidfile', "$dir/turn.pid", '--use-auth-secret',
    '--static-auth-secret', 'a secret of turn', '--realm', 'acme.example',
    '-L', '127.0.0.1', '-E', '127.0.0.1', '-p', port(8982), '--no-tcp',
    '--no-tls', '--no-dtls', '--no-cli', '--allow-loopback-peers');

$t->run();

sub login {
    my ($user, $life) = @_;

    my $r = IMS::Browser::api('POST', token => $jwt->token($user,
        exp => time() + $life));

    return $r->{json}{ice_servers}[0];
}

# allocates a relay, sends a message through it: 1 or 0

sub allocates {
    my ($user, $password) = @_;
    my $port = port(8982);

    my $said = `timeout 20 turnutils_uclient -u '$user' -w '$password' \\
        -p $port -y -c -n 1 -m 1 127.0.0.1 2>&1`;

    return $said =~ /Total lost packets 0/ && $? == 0 ? 1 : 0;
}

IMS::Loop::wait_for(sub { -s "$dir/turn.pid" }, 5);
IMS::Loop::pause(0.3);

my $short = login('bob', 3);
my $end = time() + 3;

my $s = login('mary', 1800);

is_deeply($s->{urls}, [ 'turn:127.0.0.1:' . port(8982) ], 'URL');
cmp_ok($s->{ttl}, '<=', 1800, 'not longer than the token');

ok(allocates($s->{username}, $s->{credential}), 'credentials allocate');
ok(!allocates($s->{username}, 'x' . substr($s->{credential}, 1)),
    'another password does not');
ok(!allocates($s->{username} =~ s/^(\d+)/$1 + 600/er, $s->{credential}),
    'nor a later end');
ok(!allocates($short->{username}, $s->{credential}),
    'nor those of another user');

IMS::Loop::wait_for(sub { time() > $end + 1 }, 6);
ok(!allocates($short->{username}, $short->{credential}),
    'nor those of a token that has ended');

$t->stop();
unlike($t->read_file('error.log'), qr/secret of turn|\Q$s->{credential}\E/,
    'neither is in the log');
