#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A browser drops its socket in mid-call and comes back to another worker, alive
# or in the place of one that was killed: the call goes on both ways, what came
# meanwhile is delivered there, in order, and the helper hears of the end only.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ call_up call_down hang_up sdp_body /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IMS::Outlive qw/ goes_on elsewhere worker_of vanish /;
use IMS::SDP qw/ ims_sdp /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(25);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    workers => 2, listen => '127.0.0.1:8080 reuseport',
    media => 'unix:%%TESTDIR%%/ng.sock', grace => 8 * $IMS::Loop::SLOW . 's',
    t1 => 50 * $IMS::Loop::SLOW . 'ms',
    http => 'log_format pid "$pid $uri $status";',
    sip => 'access_log %%TESTDIR%%/pid.log pid;'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();
$t->todo_alerts();

my $core = IMS::Core->new()->registrar();
my %mary = (token => $jwt->token('mary'), instance => '1-2-3',
    host => 'mary.invalid');
my $mary = IMS::Browser->open(%mary);
my $impu = $mary->{impu};

is($mary->register()->{code}, 200, 'registered');

my $pid = worker_of($t);
my $up = call_up($mary, $core);
my $down = call_down($mary, $core);

# requests of the core while she is away, then at her next socket, in order

sub away {
    my ($title, $sock) = @_;

    IMS::Loop::pause(0.1);
    $core->within($up->{core}, 'INFO', body => $_) for 1 .. 4;
    $core->terminating('MESSAGE', to => $impu, body => 5);
    $mary = $sock->();
    is($mary->register()->{code}, 200, "$title: back");
    $core->within($up->{core}, 'INFO', body => 6);

    my ($order, $message) = ('', '');

    for (1 .. 6) {
        my $msg = IMS::Loop::wait_for(sub {
            my ($i) = grep { defined $mary->{queue}[$_]{method} }
                0 .. $#{$mary->{queue}};
            return defined $i ? splice @{$mary->{queue}}, $i, 1 : undef;
        }, 3) or last;

        ($msg->{method} eq 'INFO' ? $order : $message) .= $msg->{body};
        $mary->reply($msg, 200, 'OK');
    }

    is("$order $message", '12346 5', "$title: all delivered in order");

    my $answered = grep { my $ok = $core->final($_, 2); $ok
        && $ok->{code} == 200 } ('INFO') x 5, 'MESSAGE';
    is($answered, 6, "$title: all answered");

    is(goes_on($mary, $core, $up), '', "$title: the call up goes on");
    is(goes_on($mary, $core, $down), '', "$title: the call down goes on");
}

vanish($t, $mary);
away('another worker', sub { elsewhere($t, $pid, %mary) });
cmp_ok(worker_of($t), '!=', $pid, 'indeed another');

# the former worker finds out only because she has come back elsewhere

my $old = $mary;
$pid = worker_of($t);
$mary = elsewhere($t, $pid, %mary);
is($mary->register()->{code}, 200, 'moved with both sockets up');
is($old->closed(), 4409, 'the former one is told');
is(goes_on($mary, $core, $up), '', 'the call goes on');

# what she had not answered when she moved goes with her

$pid = worker_of($t);
$core->within($up->{core}, 'INFO', body => 'open');
my $first = $mary->expect('INFO');
ok($first, 'INFO, not answered');
$old = $mary;
$mary = elsewhere($t, $pid, %mary);
$mary->register();
my $again = $mary->expect('INFO');
is($again->branch(), $first->branch(), 'sent again, same branch');
$mary->reply($again, 200, 'OK');
is($core->final('INFO')->{code}, 200, 'answered from there');

# killed

$pid = worker_of($t);
kill 'KILL', $pid;
is($mary->closed(), 1006, 'killed: socket lost');
away('after kill', sub { IMS::Browser->open(%mary) });

# the end

is(scalar $ng->seen('delete'), 0, 'media not touched');
is(hang_up($core, $up->{core}, $mary), 200, 'BYE down');
is(hang_up($mary, $down->{web}, $core), 200, 'BYE up');
$ng->wait_for('delete', 2);
IMS::Loop::pause(0.3);
is(scalar $ng->seen('delete'), 2, 'media freed, each once');

my @leave = grep { $_->h('Contact') =~ /;expires=0/ } $core->seen('REGISTER');
is(scalar @leave, 0, 'never de-registered');

is(join("\n", grep { !/worker process $pid exited on signal 9/ }
    $t->read_file('error.log') =~ /\[alert\].*/g), '', 'no other alert');
