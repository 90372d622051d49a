#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Mistakes in the lines of a core about its connections and their TLS: each
# fails nginx -t and is named.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Conf;
use IMS::JWT;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

eval { require IO::Socket::SSL; require IMS::Cert; };
plan(skip_all => 'IO::Socket::SSL not installed') if $@;

my $ssl = 'ssl_certificate %%TESTDIR%%/portal.pem; '
    . 'ssl_certificate_key %%TESTDIR%%/portal.key;';
my $ca = 'ssl_trusted_certificate %%TESTDIR%%/ca.pem;';

# what the core's block says, and what nginx -t must say

my @cases = (
    [ 'listen 127.0.0.1:%%PORT_8982%% sctp;',
        qr/invalid parameter "sctp" in "listen"/ ],
    [ 'server 127.0.0.1 transport=sctp;',
        qr/invalid parameter "transport=sctp" in "server"/ ],
    [ 'server 127.0.0.1 transport=tcp;',
        qr/no "listen" of the address family and transport of "server"/ ],
    [ 'listen 127.0.0.1:%%PORT_8982%% ssl;', qr/no "ssl_certificate" for/ ],
    [ 'listen 127.0.0.1:%%PORT_8982%% ssl; '
        . 'ssl_certificate %%TESTDIR%%/portal.pem;',
        qr/no "ssl_certificate_key" for/ ],
    [ "listen 127.0.0.1:%%PORT_8982%% ssl; $ssl",
        qr/no "ssl_trusted_certificate" for "ssl_verify"/ ],
    [ "listen 127.0.0.1:%%PORT_8982%% ssl; $ssl ssl_verify off;",
        qr/test is successful/ ],
    [ "listen 127.0.0.1:%%PORT_8982%% ssl; $ssl $ca", qr/test is successful/ ],
    [ "listen 127.0.0.1:%%PORT_8982%% ssl; $ca ssl_certificate nothing.pem; "
        . 'ssl_certificate_key nothing.key;', qr/nothing\.pem/ ],
    [ "listen 127.0.0.1:%%PORT_8982%% ssl; $ssl "
        . 'ssl_trusted_certificate nothing.pem;', qr/nothing\.pem/ ],
    [ "listen 127.0.0.1:%%PORT_8982%% ssl; $ssl $ca ssl_crl nothing.pem;",
        qr/nothing\.pem/ ],
    [ "listen 127.0.0.1:%%PORT_8982%% ssl; $ssl $ca ssl_ciphers NONE;",
        qr/"NONE"/ ],
    [ 'ssl_protocols SSLv3;', qr/"ssl_protocols" directive takes/ ],
    [ 'ssl_verify maybe;', qr/"ssl_verify" directive takes "on" or "off"/ ],
    [ 'ssl_verify_depth 0;', qr/"ssl_verify_depth" directive has an invalid/ ],
    [ 'ssl_name "";', qr/"ssl_name" directive has an invalid value/ ],
    [ 'udp_max 100;', qr/"udp_max" directive has an invalid value/ ],
    [ 'stream_buffer 1k;', qr/"stream_buffer" directive has an invalid/ ],
    [ 'stream_connections 0;', qr/"stream_connections" directive has an inv/ ],
    [ 'reregister 0;', qr/"reregister" directive has an invalid/ ],
    [ 'reregister 1001;', qr/"reregister" directive has an invalid/ ],
    [ 'stream_idle never;', qr/"stream_idle" directive has an invalid/ ],
    [ 'stream_keepalive 1ms;', qr/"stream_keepalive" directive has an inv/ ],
    [ 'udp_max off; stream_keepalive off;', qr/test is successful/ ],
);

my $t = Test::Nginx->new()->has(qw/ http /)->plan(scalar @cases);

IMS::JWT->new($t);
IMS::Cert->authority($t, 'ca')->sign('portal', [ IP => '127.0.0.1' ]);

for my $case (@cases) {
    my ($lines, $said) = @$case;

    $t->write_file_expand('case.conf', ims_conf(core => $lines));
    like(ims_check($t, 'case.conf'), $said,
        $lines =~ s/%%TESTDIR%%\///gr);
}
