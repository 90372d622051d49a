#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The portal on the real core, by each of its transports.

use warnings;
use strict;

use File::Basename qw(dirname);
use FindBin;
use Test::More;

use lib dirname(__FILE__);
use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/../lib",
    "$FindBin::Bin/../lib";

use Portal;
use Test::Nginx qw/ port /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $home = 'ims.operator.example';
my $t = Test::Nginx->new()->has(qw/ http /);
my %block = (identity => "sip:u[001-020]\@acme.$home impi=acme-pool-1\@$home");

Portal::works($t,
    ['TCP', { TRANSPORT => 'tcp', EDGE => '127.0.0.1:' . port(8990) },
        { %block, listen_ims => '127.0.0.1:%%PORT_8990%% tcp' }],
    ['TLS', { TRANSPORT => 'tls', EDGE => '127.0.0.1:' . port(8990) },
        { %block, listen_ims => '127.0.0.1:%%PORT_8990%% ssl',
            core => 'ssl_certificate CORE/client.pem;'
                . ' ssl_certificate_key CORE/client.key;'
                . ' ssl_trusted_certificate CORE/ca.pem;'
                . " ssl_verify on; ssl_name core.$home;" }],
    ['IPv6', { host => '::1', EDGE => '[::1]:' . port(8980, udp => 1) },
        { %block, listen_ims => '[::1]:%%PORT_8980_UDP%% udp' }]);

done_testing();
