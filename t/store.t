#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A pool with a store: leases outlast a restart and a kill of all processes, and
# fit a zone of another size; a test of the configuration changes nothing.

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

my $t = Test::Nginx->new()->has(qw/ http /)->plan(24);

my $jwt = IMS::JWT->new($t);
my $store = $t->testdir() . '/acme.store';
my @common = (workers => 2, main => 'master_process on;',
    pool => "store $store;");

sub lease {
    my ($user) = @_;

    my $r = IMS::Browser::api('POST', token => $jwt->token($user));

    return $r->{json}{identity} // "status $r->{status}";
}

sub sockets {
    return IMS::Browser::api('GET', path => '/ims/status')
        ->{json}{pools}[0]{sockets};
}

sub conf {
    my (%o) = @_;

    my $size = delete $o{size} || '1m';
    my $text = ims_conf(@common, %o) =~ s/zone=acme:1m/zone=acme:$size/r;

    $t->write_file_expand('nginx.conf', $text);
}

sub restart {
    my ($how) = @_;

    my $pid = $t->read_file('nginx.pid') + 0;

    if ($how eq 'KILL') {

        # the workers go on without their master

        my @workers = ims_workers($t);
        kill 'KILL', $pid, @workers;
        IMS::Loop::wait_for(sub { !grep { kill 0, $_ } @workers }, 5);
    }

    $t->stop();
    unlink $t->testdir() . '/nginx.pid';
    $t->run();
}

conf();
$t->run();

ok(-s $store, 'there is a store');
is((stat $store)[2] & 0777, 0600, 'nobody else may read it');

my $mary = lease('mary');
my $bob = lease('bob');

like($mary, qr/^sip:u001@/, 'mary');
like($bob, qr/^sip:u002@/, 'bob');

restart('TERM');

like($t->read_file('error.log'), qr/store" has 2 leases, 0 bindings/,
    'a restart says what it found');

is(lease('carol'), 'sip:u003@acme.ims.operator.example', 'carol is new');
is(lease('bob'), $bob, 'bob has his own');
is(lease('mary'), $mary, 'mary, too');

# sockets of the dead are not counted any more, whichever places they had

my @socket = map { IMS::Browser->open(token => $jwt->token('mary')) } 1 .. 6;

is(sockets(), 6, 'sockets are counted');
conf(workers => 1);
restart('KILL');
is(sockets(), 0, 'killed: they are gone');

is(lease('dave'), 'sip:u004@acme.ims.operator.example', 'killed: dave is new');
is(lease('mary'), $mary, 'killed: mary has her own');

# a test of the configuration, and one that would fail

my $before = $t->read_file('acme.store');

like(ims_check($t, 'nginx.conf'), qr/test is successful/, 'tested');
conf(identity => 'sip:u9@acme.ims.operator.example');
like(ims_check($t, 'nginx.conf'), qr/test is successful/,
    'tested with other identities');
is($t->read_file('acme.store'), $before, 'nothing has changed in the store');

# another size

conf(size => '2m');
$t->reload();

ok(IMS::Loop::wait_for(sub {
    $t->read_file('error.log') =~ /size of "ims_portal_pool" zone "acme" chan/;
}, 5), 'a reload does not resize');

is(lease('mary'), $mary, 'reloaded: mary has her own');

my $size = -s $store;

restart('TERM');

cmp_ok(-s $store, '>', $size, 'a restart does');
is(lease('erin'), 'sip:u005@acme.ims.operator.example', 'larger: erin is new');
is(lease('mary'), $mary, 'larger: mary has her own');

conf(size => '1m');
restart('TERM');

like($t->read_file('error.log'), qr/store" of .* stays larger than the zone/,
    'it does not shrink');
is(lease('mary'), $mary, 'smaller: mary has her own');

# an identity that went

conf(size => '2m', identity => 'sip:u[002-009]@acme.ims.operator.example');
restart('TERM');

is(lease('bob'), $bob, 'fewer identities: bob has his own');
isnt(lease('mary'), $mary, 'mary gets another one');

# a sub holds it: the two tests of its own come now, not too late

undef $t;
