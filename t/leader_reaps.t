#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# What nobody came back for is ended by the worker that leads, whoever had its
# socket: that worker may be gone, and the leader may die in the midst.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ call_up /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IMS::SIP;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->todo_alerts()->plan(19);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    workers => 2, grace => 2 * $IMS::Loop::SLOW . 's', shutdown => '30s',
    server => 'ims_portal_drain 1s;', media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();

sub leader {
    my ($t) = @_;

    return ($t->read_file('error.log') =~ /(\d+)#\d+: this worker leads/g)[-1];
}

sub pool { return IMS::Browser::api('GET', path => '/ims/status')
    ->{json}{pools}[0] }

sub exits {
    my ($t) = @_;
    my $n = () = $t->read_file('error.log')
        =~ /worker process \d+ exited with code 0/g;

    return $n;
}

sub leaving { return $_[0]->h('Contact') =~ /;expires=0/ }

sub de_registered {
    return scalar grep { leaving($_) } $core->seen('REGISTER');
}

# an old worker does not stay for the grace time, its calls end nevertheless

my $mary = IMS::Browser->open(token => $jwt->token('mary'));
is($mary->register()->{code}, 200, 'registered');
call_up($mary, $core);
$t->reload();
IMS::Loop::wait_for(sub {
    $t->read_file('error.log') =~ /gracefully shutting down/ }, 5);
$mary->drop();
ok(IMS::Loop::wait_for(sub { exits($t) == 2 }, 5), 'old workers are gone');
ok($core->none('BYE', 0.2), 'within the grace time');
is(pool()->{bindings}, 1, 'which is in the record');

my $bye = $core->expect('BYE', 5);
like($bye && $bye->h('Reason'), qr/browser is gone/, 'then BYE');
$core->reply($bye, 200, 'OK') if $bye;
ok(IMS::Loop::wait_for(sub { !pool()->{bindings} }, 5), 'the record is gone');
is(de_registered(), 1, 'de-registered once');
is($ng->wait_for('delete', 1), 1, 'media freed once');

# the leader dies while the core thinks about it: the next one does it again

@{$core->{all}} = ();
my $bob = IMS::Browser->open(token => $jwt->token('bob'));
$bob->register();
my $seen = 0;
$core->{on}{REGISTER} = sub {
    my ($self, $msg) = @_;

    return $self->accept($msg) unless leaving($msg);
    $seen++;
};
$bob->drop();
ok(IMS::Loop::wait_for(sub { $seen }, 8), 'the core does not answer');
my @pid = leader($t);
kill 'KILL', $pid[0];
ok(IMS::Loop::wait_for(sub { leader($t) != $pid[0] }, 8), 'another leads');
$core->registrar();
ok(IMS::Loop::wait_for(sub { !pool()->{bindings} }, 8), 'and ends it');
cmp_ok(($core->seen('REGISTER'))[-1]->cseq(), '>',
    ($core->seen('REGISTER'))[1]->cseq(), 'with a request of its own');

# the browser is back while the core thinks about it: it is not ended

@{$core->{all}} = ();
my %dave = (token => $jwt->token('dave'), instance => 'd-a-v-e',
    host => 'dave.invalid');
my $dave = IMS::Browser->open(%dave);
$dave->register();
my $held;
$core->{on}{REGISTER} = sub {
    my ($self, $msg) = @_;

    return $self->accept($msg) unless leaving($msg);
    $held ||= $msg;
};
$dave->drop();
ok(IMS::Loop::wait_for(sub { $held }, 8), 'the core does not answer');
$dave = IMS::Browser->open(%dave);
is($dave->register()->{code}, 200, 'back');
$core->reply($held, 200, 'OK');
IMS::Loop::pause(1.2);
is(pool()->{bindings}, 1, 'the record stays');

# registered means registered: the core takes the later CSeq

$core->terminating('MESSAGE', to => $dave->{impu}, body => 'back');
my $msg = $dave->expect('MESSAGE');
is($msg && $msg->{body}, 'back', 'and it is reached');
$dave->reply($msg, 200, 'OK') if $msg;
is($core->final('MESSAGE')->{code}, 200, 'answered');

is(join("\n", grep { !/worker process $pid[0] exited on signal 9/ }
    $t->read_file('error.log') =~ /\[alert\].*/g), '', 'no other alert');

$dave->close();
ok(IMS::Loop::wait_for(sub { !pool()->{bindings} }, 8), 'gone in the end');
