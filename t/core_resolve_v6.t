#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A server by name and port: A and AAAA, each an address of its own; one that
# no socket of ours can reach is not used.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::DNS;
use IMS::JWT;
use IMS::Loop;
use Test::Nginx qw/ port /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(8);

my $jwt = IMS::JWT->new($t);
my ($p1, $p2, $own) = map { port($_, udp => 1) } 8981, 8982, 8985;

$t->write_file_expand('nginx.conf', ims_conf(
    http => 'resolver 127.0.0.1:%%PORT_8984_UDP%%; resolver_timeout 1s;',
    server_ims => "core.example:$p1",
    core => "listen [::1]:$own udp; server six.example:$p2 backup;
        server tcp.example transport=udp backup; probe off;"));

my $dns = IMS::DNS->new(port => port(8984, udp => 1));

$dns->set('core.example', A => [ '127.0.0.1' ], AAAA => [ '::1' ]);
$dns->set('six.example', AAAA => [ '::1' ]);

my $four = IMS::Core->new()->registrar();
my $six = IMS::Core->new(addr => '::1', port => $p1, portal => $own)
    ->registrar();
my $backup = IMS::Core->new(addr => '::1', port => $p2, portal => $own)
    ->registrar();

$t->run();

ok(IMS::Loop::wait_for(sub { my @is = $t->read_file('error.log')
    =~ /server "(\S+)" of ims core "operator" is /g; @is >= 3 }, 5),
    'resolved');

my $log;

IMS::Loop::wait_for(sub {
    $log = $t->read_file('error.log');
    return $log =~ /could not be resolved/;
}, 5);

like($log, qr/server "127.0.0.1:$p1" of .* is core.example/, 'IPv4');
like($log, qr/server "\[::1\]:$p1" of .* is core.example/, 'IPv6');
like($log, qr/"tcp.example" of .* could not be resolved/, 'NXDOMAIN');

sub asked {
    return join ' ', map { scalar grep { $_->h('Contact') !~ /expires=0/ }
        $_->seen('REGISTER') } $four, $six, $backup;
}

for (1 .. 4) {
    my $user = IMS::Browser->open(token => $jwt->token("user$_"));
    $user->register();
    $user->drop();
}

is(asked(), '2 2 0', 'both in turn');

my $via = ($six->seen('REGISTER'))[0]->h('Via');
like($via, qr/UDP \[::1\]:$own;/, 'Via of the family');

$_->down() for $four, $six;

my $mary = IMS::Browser->open(token => $jwt->token('mary'));
is($mary->register()->{code}, 200, 'registered');
like(asked(), qr/ 1$/, 'at the backup');

$mary->close();
