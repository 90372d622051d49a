#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The portal on the real core, in each of its ways to register.

use warnings;
use strict;

use File::Basename qw(dirname);
use FindBin;
use Test::More;

use lib dirname(__FILE__);
use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/../lib",
    "$FindBin::Bin/../lib";

use Portal;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $home = 'ims.operator.example';
my $t = Test::Nginx->new()->has(qw/ http /);
my $secrets = $t->testdir() . '/secrets';

$t->write_file('secrets', <<"END");
acme-pool-1\@$home password secret
card\@$home aka K=465b5ce8b199b49faa5f0a2ee238a6bc OPC=cd63cb71954a9f4e48a5994e37a02baf
END
chmod 0600, $secrets;

my %block = (identity => "sip:u[001-020]\@acme.$home impi=acme-pool-1\@$home");
my %digest = (register => "digest secrets=$secrets");

Portal::works($t,
    ['trusted', {}, { %block }],
    ['digest', {}, { %block, %digest }],
    ['AKA', {}, { %digest, identity => "sip:card\@$home impi=card\@$home" }],
    ['block', {}, {
        identity => "sip:desk[01-05]\@desk.$home impi=desk\@$home",
        pool => "register_block sip:desk\@desk.$home impi=desk\@$home "
            . 'profile_key=auto;' }]);

done_testing();
