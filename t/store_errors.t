#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A store that cannot be used is refused, by its name, and left as it is.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::JWT;
use IMS::Loop;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(26);

my $jwt = IMS::JWT->new($t);
my $dir = $t->testdir();

sub check {
    my ($store, $error, $what) = @_;

    $t->write_file_expand('bad.conf', ims_conf(pool => "store $store;"));

    my $before = -f $store ? $t->read_file($store =~ s!.*/!!r) : '';

    like(ims_check($t, 'bad.conf'), $error, $what);

    is($t->read_file($store =~ s!.*/!!r), $before, "$what: as it was")
        if -f $store;
}

check("$dir/nowhere/acme.store",
    qr!"store" "\S+" cannot be created in "\S+nowhere/"!, 'no directory');
check($dir, qr/"store" .* is not a regular file|open\(\) of "store"/,
    'a directory');
check('""', qr/"store" directive has an invalid path/, 'nothing');
check("$dir/a; store $dir/b", qr/"store" directive is duplicate/, 'two');

$t->write_file('short', "Dear Mary,\n");
check("$dir/short", qr/is not a store of "ims_portal_pool"/, 'a letter');

$t->write_file('long', 'x' x 100_000);
check("$dir/long", qr/is not a store of "ims_portal_pool"/, 'a long one');

symlink "$dir/long", "$dir/link" or die "symlink: $!\n";
check("$dir/link", qr/open\(\) of "store" .* failed/, 'a symbolic link');

# one that may only be read, also for who may do anything else

sub unprivileged {
    my ($conf) = @_;

    my @who = $> ? () : qw/ setpriv --reuid=65534 --regid=65534
        --clear-groups /;

    unlink map { "$dir/$_" } qw/ access.log error.log nginx.pid /;

    return `@who $Test::Nginx::NGINX -t -p $dir/ -c $conf -e stderr 2>&1`;
}

$t->write_file('read.store', 'x' x 100_000);
$t->write_file_expand('read.conf', ims_conf(pool => "store $dir/read.store;"));
chmod 0400, "$dir/read.store";
chmod 0777, $dir;
chmod 0666, map { "$dir/$_" } qw/ login.jwks error.log nginx.pid test.log /;

like(unprivileged('read.conf'), qr/open\(\) of "store" .* failed.*denied/s,
    'read-only');

mkdir "$dir/closed", 0500;
$t->write_file_expand('closed.conf',
    ims_conf(pool => "store $dir/closed/acme.store;"));

like(unprivileged('closed.conf'),
    qr/"store" ".*closed\/.*" (?:failed|cannot be created).*denied/s,
    'a directory that nobody may write to');

# a disk that is full: its limit is that of a file here

$t->write_file_expand('full.conf', ims_conf(pool => "store $dir/full.store;"));

my $said = do {
    local $SIG{XFSZ} = 'IGNORE';
    local $SIG{ALRM} = sub { die "nginx runs on a full disk\n" };

    alarm 20;
    my $words = `ulimit -f 200
        $Test::Nginx::NGINX -p $dir/ -c full.conf -e full.log 2>&1`;
    alarm 0;

    "rc $? $words";
};

like($said, qr/no room for \d+ bytes of "store"/, 'a full disk');
is(-s "$dir/full.store", 0, 'nothing is left of it');

# one of a pool that ran

$t->write_file_expand('nginx.conf', ims_conf(pool => "store $dir/acme.store;"));
unlink "$dir/nginx.pid";
$t->run();
IMS::Browser::api('POST', token => $jwt->token('mary'));
$t->stop();

my $good = $t->read_file('acme.store');

sub damaged {
    my ($what, $error, $text) = @_;

    $t->write_file('bad.store', $text);
    check("$dir/bad.store", $error, $what);
}

damaged('cut off', qr/"store" .* is damaged/, substr $good, 0, 50_000);
damaged('cut off in its head', qr/is not a store of/, substr $good, 0, 40);
damaged('capacities', qr/"store" .* is damaged/,
    substr($good, 0, 96) . "\xff\xff\xff\x7f" . substr $good, 100);
damaged('sizes', qr/"store" .* is damaged/,
    substr($good, 0, 72) . "\xff\xff\xff\x7f" . substr $good, 76);

(my $other = $good) =~ s/^imsport1acme/imsport1emca/;
damaged('of another pool', qr/"store" \S+ is of zone "emca", not "acme"/,
    $other);

# torn entries are not believed

my $torn = $good;

for my $at (map { 1024 + 4 * $_ } 0 .. 20_000) {
    substr $torn, $at, 4, pack 'V', $at * 2654435761 & 0xffffffff
        if $at % 7 == 0 && $at + 4 < length $torn;
}

$t->write_file('acme.store', $torn);
unlink "$dir/nginx.pid";
$t->run();

my $r = IMS::Browser::api('POST', token => $jwt->token('mary'));
like($r->{status}, qr/^(?:201|200|503)$/, 'torn: nginx lives');
$t->stop();

# two pools

$t->write_file_expand('bad.conf',
    ims_conf(pool => "store $dir/two.store;", http => <<"EOC"));
    ims_portal_pool other zone=other:1m core=operator {
        identity sip:o1\@acme.ims.operator.example;
        store $dir/two.store;
    }
EOC

like(ims_check($t, 'bad.conf'), qr/"store" .* is used by another/,
    'one store of two pools');

# a sub holds it: the two tests of its own come now, not too late

undef $t;
