#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The line "share": what is wrong with it is said, and never a password.

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

my $t = Test::Nginx->new()->has(qw/ http /);

my @bad = (
    [ 'rediss://h', qr/TLS .*stunnel/ ],
    [ 'http://h', qr/needs "redis:\/\/host" or "unix:path"/ ],
    [ 'prefix=x', qr/needs "redis:\/\/host"/ ],
    [ 'redis://', qr/needs "redis/ ],
    [ 'redis://u:secret1@', qr/has no host/ ],
    [ 'redis://u:secret1@127.0.0.1:99999', qr/invalid port in "share"/ ],
    [ 'redis://u@127.0.0.1', qr/user without a password/ ],
    [ 'redis://127.0.0.1/x', qr/number of a database/ ],
    [ 'redis://127.0.0.1 db=x', qr/number of a database/ ],
    [ 'unix:redis.sock', qr/path of a Unix socket/ ],
    [ 'unix:/' . 'x' x 200, qr/path of a Unix socket/ ],
    [ 'unix:/run/a redis://127.0.0.1', qr/besides another server/ ],
    [ 'redis://127.0.0.1 host=http://a', qr/invalid "host"/ ],
    [ 'redis://127.0.0.1 "host=wss://a/<b>"', qr/invalid "host"/ ],
    [ 'redis://127.0.0.1 prefix=', qr/invalid "prefix"/ ],
    [ 'redis://127.0.0.1 "prefix=a{b"', qr/invalid "prefix"/ ],
    [ 'redis://127.0.0.1 timeout=1ms', qr/invalid time/ ],
    [ 'redis://127.0.0.1 hold=2h', qr/invalid time/ ],
    [ 'redis://127.0.0.1 colour=red', qr/parameter "colour" in "share"/ ],
    [ 'redis://127.0.0.1 password_file=%%TESTDIR%%/none', qr/none" failed/ ],
    [ 'redis://127.0.0.1 password_file=%%TESTDIR%%/empty',
        qr/has no password/ ],
    [ 'redis://127.0.0.1; share redis://127.0.0.2', qr/is duplicate/ ],
);

my @good = (
    'redis://127.0.0.1', 'redis://[::1]:6380/3 redis://127.0.0.1',
    'redis://:secret1@localhost timeout=200ms hold=0 prefix=one:two',
    'unix:/run/redis/redis.sock host=wss://n1.acme.example/ims/sip',
);

$t->plan(2 * @bad + @good);

IMS::JWT->new($t);
$t->write_file('empty', "\n");

for my $case (@bad) {
    $t->write_file_expand('bad.conf', ims_conf(pool => "share $case->[0];"));

    my $said = ims_check($t, 'bad.conf');

    like($said, $case->[1], substr $case->[0], 0, 50);
    unlike($said, qr/secret1|is successful/, 'refused, no password told');
}

for my $line (@good) {
    $t->write_file_expand('good.conf', ims_conf(pool => "share $line;"));
    like(ims_check($t, 'good.conf'), qr/is successful/, $line);
}

$t->write_file_expand('nginx.conf', ims_conf());
$t->run();
