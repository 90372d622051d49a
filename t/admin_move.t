#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The administration API: a user gets another identity of the pool.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Admin;
use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(30);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    workers => 2, quarantine => '1h',
    pool => 'store ' . $t->testdir() . '/acme.store;',
    server => 'location /ims/admin/ { ims_portal_admin acme; }'));

$t->run();

my $core = IMS::Core->new()->registrar();
my $admin = IMS::Admin->new();

sub id { return sprintf 'sip:u%03d@acme.ims.operator.example', $_[0] }

sub move {
    my ($user, $identity) = @_;

    return $admin->post('users/move', { user => $user,
        identity => $identity });
}

sub at { return $admin->get("leases/$_[0]")->{json} }

my $mary = IMS::Browser->open(token => $jwt->token('mary'));
my $bob = IMS::Browser->open(token => $jwt->token('bob'));

is($_->register()->{code}, 200, 'registered') for $mary, $bob;

my $former = $mary->{impu};

is(move('mary', $bob->{impu})->{status}, 409, 'not to what bob has');
is(move('nobody', id(150))->{status}, 404, 'not who has nothing');
is(move('mary', 'sip:u999@acme.ims.operator.example')->{status}, 404,
    'not to what is not of the pool');
is(move('mary', 'mary')->{status}, 404, 'nor to what is no URI');

my $r = move('mary', id(150));

is($r->{status}, 200, 'mary is moved');
is($r->{json}{identity}, id(150), 'to that');
is($r->{json}{former}, $former, 'from this');
is($mary->closed(2), 4411, 'her socket is closed');
is(at(id(150))->{user}, 'mary', 'it is hers');
is(at(id(150))->{state}, 'leased', 'leased');
ok(IMS::Loop::wait_for(sub { at($former)->{state} eq 'resting' }, 5),
    'what she had rests, when her browser is gone there');

my ($gone) = grep { $_->h('Contact') =~ /;expires=0\b/
    || ($_->h('Expires') || '') eq '0' } $core->seen('REGISTER');

like($gone ? $gone->h('To') : '', qr/\Q$former\E/, 'as what she was');
is(at($former)->{user}, undef, 'of nobody');

$mary = IMS::Browser->open(token => $jwt->token('mary'));
is($mary->{impu}, id(150), 'she comes back with the other one');
is($mary->register()->{code}, 200, 'registered');
is(at(id(150))->{sessions}, 1, 'with a session');
is(move('bob', $former)->{status}, 409, 'nobody else gets what rests');
is(move('mary', id(150))->{status}, 200, 'to what she has is no move');
select undef, undef, undef, 0.7;
ok($mary->is_open(), 'and ends nothing');

# without a session, and back

IMS::Browser::api('POST', token => $jwt->token('carol'));
is(move('carol', id(160))->{status}, 200, 'carol is moved');
is(IMS::Browser::api('GET', token => $jwt->token('carol'))->{json}{identity},
    id(160), 'at once');
is($admin->get('')->{json}{leased}, 3, 'three are leased');
ok($bob->is_open(), 'bob is not concerned');

# a restart

$_->close() for $mary, $bob;
$t->stop();
unlink $t->testdir() . '/nginx.pid';
$t->run();

is(IMS::Browser::api('GET', token => $jwt->token('mary'))->{json}{identity},
    id(150), 'kept over a restart');
is(at($former)->{state}, 'resting', 'the former one, too');
is($admin->get('')->{json}{leased}, 3, 'counted');

ok(scalar($t->read_file('error.log') =~ /moves user "mary" of "\S+" from/),
    'logged');
is($admin->wrong(), '', 'as docs/admin-api.yaml says');
