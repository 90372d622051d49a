#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A store is of one nginx at a time: another one beside it is refused, and
# changes nothing; when the first has ended it takes over what is there.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::Host;
use IMS::JWT;
use Test::Nginx qw/ port /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(9);

my $jwt = IMS::JWT->new($t);
my $dir = $t->testdir();
my @common = (pool => "store $dir/acme.store;");
my @other = (@common, listen => '127.0.0.1:8082',
    listen_ims => '127.0.0.1:%%PORT_8984_UDP%% udp');

$t->write_file_expand('nginx.conf', ims_conf(@common));
$t->run();

sub lease {
    my ($port, $user) = @_;

    return IMS::Browser::api('POST', token => $jwt->token($user),
        port => port($port))->{json}{identity};
}

my $mary = lease(8080, 'mary');
ok($mary, 'mary has an identity');

my $before = $t->read_file('acme.store');

is(eval { IMS::Host->new($t, 'two', ims_conf(@other)) }, undef,
    'another nginx does not start');

like($t->read_file('two.error.log'),
    qr/\[emerg\].*"store" "\S+acme.store" is in use by another nginx/,
    'it says why');
is($t->read_file('acme.store'), $before, 'and has changed nothing');
is(lease(8080, 'mary'), $mary, 'the first goes on');

# which may still read its configuration again

$t->reload();
is(lease(8080, 'mary'), $mary, 'reloaded');

$t->stop();

my $two = IMS::Host->new($t, 'two', ims_conf(@other));

is(lease(8082, 'mary'), $mary, 'the other one, when the first has ended');
isnt(lease(8082, 'bob'), $mary, 'and bob has another one');
is($two->alerts(), '', 'no alerts');

# a sub holds it: the two tests of its own come now, not too late

undef $two;
undef $t;
