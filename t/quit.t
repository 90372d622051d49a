#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# "nginx -s quit", after which nobody serves: who is idle is told at once, who is
# in a call goes on, and the core keeps no registration of anybody, unless a
# store keeps it for the next start.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ call_up hang_up /;
use IMS::Conf;
use IMS::Core;
use IMS::Daemon;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(31);

my $jwt = IMS::JWT->new($t);
my $nginx = IMS::Daemon->new($t);
my $store = 'store ' . $t->testdir() . '/acme.store;';

sub conf {
    my ($t, $nginx, %o) = @_;

    $t->write_file_expand('nginx.conf', $nginx->conf(ims_conf(
        workers => 2, shutdown => 20 * $IMS::Loop::SLOW . 's',
        grace => 20 * $IMS::Loop::SLOW . 's',
        server => 'ims_portal_drain 30s;',
        media => 'unix:%%TESTDIR%%/ng.sock', %o)));
}

conf($t, $nginx);

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

is($nginx->start(), '', 'started');

my $core = IMS::Core->new()->registrar();

sub enter {
    my ($user) = @_;

    my $page = IMS::Browser->open(token => $jwt->token($user),
        instance => "$user-1", host => "$user.invalid");
    is($page->register()->{code}, 200, "$user registered");

    return $page;
}

# who has been de-registered, how often

sub left {
    my %n;

    $n{IMS::SIP::uri_of($_->h('To'))}++
        for grep { $_->h('Contact') =~ /;expires=0/ } $core->seen('REGISTER');

    return \%n;
}

my ($mary, $bob, $dave, $eve) = map { enter($_) } qw/ mary bob dave eve /;
my $call = call_up($mary, $core);

$eve->drop();
IMS::Loop::pause(0.3);

kill 'QUIT', $nginx->master();
my @workers = $nginx->workers();

is($bob->closed(2), 1001, 'idle: told at once');
is($dave->closed(2), 1001, 'the other, too');
$_->close() for $bob, $dave;

ok(IMS::Loop::wait_for(sub { keys %{left()} == 3 }, 3), 'de-registered');
is_deeply(left(), { map { $_->{impu} => 1 } $bob, $dave, $eve },
    'once each, and she who was lost');

# the call goes on, heard by UDP although nginx has closed its listeners

ok($mary->is_open(), 'mary is in her call');
$core->within($call->{core}, 'INFO');
my $msg = $mary->expect('INFO');
ok($msg, 'INFO from the core');
$mary->reply($msg, 200, 'OK') if $msg;
is($core->final('INFO')->{code}, 200, 'answered');
$mary->within($call->{web}, 'INFO');
$msg = $core->expect('INFO');
ok($msg, 'INFO from the browser');
$core->reply($msg, 200, 'OK') if $msg;
is($mary->final('INFO')->{code}, 200, 'answered');

is(hang_up($core, $call->{core}, $mary), 200, 'BYE from the core');
is($mary->closed(3), 1001, 'then she is told');
$mary->close();
ok(IMS::Loop::wait_for(sub { left()->{$mary->{impu}} }, 3), 'de-registered');
ok($nginx->gone(5, @workers), 'nginx is gone');
is_deeply(left(), { map { $_->{impu} => 1 } $mary, $bob, $dave, $eve },
    'everybody once');
is($ng->wait_for('delete', 1), 1, 'media freed');

# with a store the records wait for the next start

@{$core->{all}} = ();
conf($t, $nginx, pool => $store);
is($nginx->start(), '', 'started with a store');

$bob = enter('bob');
$mary = enter('mary');
my $contact = $core->{registered}{$bob->{impu}}{contact};
my $calls = call_up($mary, $core);

kill 'QUIT', $nginx->master();
@workers = $nginx->workers();

is($bob->closed(2), 1001, 'idle: told at once');
$bob->close();
is(hang_up($core, $calls->{core}, $mary), 200, 'the call ends');
$mary->close();
ok($nginx->gone(5, @workers), 'nginx is gone');
is_deeply(left(), {}, 'nobody de-registered');

is($nginx->start(), '', 'started again');
my $registers = () = $core->seen('REGISTER');
$bob = enter('bob');
is(scalar(() = $core->seen('REGISTER')), $registers,
    'answered from the record');
is($core->{registered}{$bob->{impu}}{contact}, $contact, 'same Contact');
