#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A handshake that somebody else begins and spoils says nothing of a server,
# even when it comes from the server's own address and port.

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

eval { require IO::Socket::SSL; require IMS::Cert; };
plan(skip_all => 'IO::Socket::SSL not installed') if $@;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(4);

my $jwt = IMS::JWT->new($t);
my $ca = IMS::Cert->authority($t, 'ca');

$ca->sign('portal', [ IP => '127.0.0.1' ]);

$t->write_file_expand('nginx.conf', ims_conf(
    listen_ims => '127.0.0.1:%%PORT_8980%% ssl',
    server_ims => '127.0.0.1:%%PORT_8981%% transport=tls fail_timeout=60s',
    core => <<'EOC'));
        ssl_certificate %%TESTDIR%%/portal.pem;
        ssl_certificate_key %%TESTDIR%%/portal.key;
        ssl_trusted_certificate %%TESTDIR%%/ca.pem;
        probe off;
EOC
$t->run();

my $sock = IO::Socket::INET->new(Proto => 'tcp', ReuseAddr => 1,
    LocalAddr => '127.0.0.1', LocalPort => port(8981),
    PeerAddr => '127.0.0.1', PeerPort => port(8980))
    or die "can't connect from port " . port(8981) . ": $!\n";

$sock->syswrite("OPTIONS sip:portal SIP/2.0\r\n\r\n");

ok(IMS::Loop::wait_for(sub {
    $t->read_file('error.log') =~ /connection was refused by one end/ }, 3),
    'handshake failed');
$sock->close();

unlike($t->read_file('error.log'), qr/server "[^"]+" .* does not answer/,
    'the server is not down');
ok(IMS::Browser::api('GET', path => '/ims/status')->{json}{cores}[0]
    {servers}[0]{up}, 'nor is it said to be');

my $core = IMS::Core->new(transport => 'tls', ssl => {
    SSL_ca_file => $ca->{file}, SSL_session_id_context => 'core',
    $ca->sign('core', [ IP => '127.0.0.1' ]) })->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));

is($mary->register()->{code}, 200, 'registered there');

$mary->close();
