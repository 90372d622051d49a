#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Three generations of workers, each with a browser in a call: whichever reads
# what the core sends, it comes to the one that has the call.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ call_up call_down hang_up /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(18);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    shutdown => '30s', grace => '1s', server => 'ims_portal_drain 100ms;',
    media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my (@users, @pids);

sub worker {
    return IMS::Browser::api('GET', path => '/ims/status')
        ->{json}{worker}{pid};
}

for my $n (1 .. 3) {
    push @pids, worker();

    my $web = IMS::Browser->open(token => $jwt->token("user$n"));
    $web->register();
    push @users, { web => $web, call => $n % 2 ? call_up($web, $core)
        : call_down($web, $core) };

    next if $n == 3;
    $t->reload();
    IMS::Loop::wait_for(sub { IMS::Loop::pause(0.05);
        eval { worker() } != $pids[-1] }, 5);
    IMS::Loop::pause(0.2);
}

is(scalar(keys %{{ map { $_ => 1 } @pids }}), 3, 'three generations');
is(scalar(grep { kill 0, $_ } @pids), 3, 'all alive');

# requests and their answers, both ways, in a burst

my ($down, $up) = (0, 0);

for (1 .. 5) {
    $core->within($_->{call}{core}, 'INFO') for @users;
    $_->{web}->within($_->{call}{web}, 'INFO') for @users;

    for my $user (@users) {
        my $msg = $user->{web}->expect('INFO', 2);
        $user->{web}->reply($msg, 200, 'OK');
        $down++ if $msg && $msg->h('Call-ID') eq $user->{call}{core}{id};
        $core->reply($core->expect('INFO', 2), 200, 'OK');
    }

    $up += grep { ($_->{web}->final('INFO', 2)->{code} || 0) == 200 } @users;
}

is($down, 15, 'requests of the core');
is($up, 15, 'answers of the core');

my $answered = grep { ($core->final('INFO', 2)->{code} || 0) == 200 } 1 .. 15;
is($answered, 15, 'answers of the browsers');

for my $user (@users) {
    $core->terminating('MESSAGE', to => $user->{web}{impu}, body => 'x');
    my $msg = $user->{web}->expect('MESSAGE', 2);
    $user->{web}->reply($msg, 200, 'OK');
}

is(scalar(grep { ($core->final('MESSAGE', 2)->{code} || 0) == 200 } @users),
    3, 'outside of a call');

is(join(' ', map { $_->{web}{again} } @users), '0 0 0', 'nothing twice');

# the oldest goes with its call

my $old = shift @users;
my $ended = $old->{call}{core};
my $r = $core->{registered}{$old->{web}{impu}};

is(hang_up($core, $ended, $old->{web}), 200, 'the oldest call ends');
is($old->{web}->closed(5), 1012, 'its browser is sent on');

# in its grace time, and beyond

$core->terminating('MESSAGE', to => $old->{web}{impu}, body => 'x');
is($core->final('MESSAGE', 3)->{code}, 480, 'it is not reached');
$core->within($ended, 'INFO');
is($core->final('INFO', 2)->{code}, 481, 'its call is over');

ok(IMS::Loop::wait_for(sub { IMS::Loop::pause(0.1); !kill 0, $pids[0] }, 10),
    'its worker is gone');

IMS::Loop::wait_for(sub { IMS::Loop::pause(0.1);
    !$core->{registered}{$old->{web}{impu}} }, 6);
ok(!$core->{registered}{$old->{web}{impu}}, 'and its registration');

IMS::Loop::pause(0.2);
$core->terminating('MESSAGE', to => $old->{web}{impu}, body => 'x',
    uri => $r->{contact}, route => $r->{path});
is($core->final('MESSAGE', 2)->{code}, 430, 'of no browser');
$core->within($ended, 'BYE');
is($core->final('BYE', 2)->{code}, 481, 'of no call');

# the others go on

is(scalar(grep { kill 0, $_ } @pids), 2, 'two generations');
is(scalar(grep { hang_up($core, $_->{call}{core}, $_->{web}) == 200 }
    @users), 2, 'their calls end as they should');

$ng->wait_for('delete', 3);
is(scalar $ng->seen('delete'), 3, 'media freed, each once');

$_->{web}->close() for @users;
