#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The media helper itself, two of it: frozen, killed, started again. Calls of
# a helper that is gone end with a Reason, new ones go to the other, and none
# is left behind at either.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Call qw/ call_up hang_up /;
use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IO::Socket::UNIX;
use Test::Nginx;
use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $helper = $ENV{MEDIA_HELPER} || "$FindBin::Bin/../media-helper/media-helper";

plan(skip_all => "$helper is not built") unless -x $helper;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(19);

my $jwt = IMS::JWT->new($t);
my $dir = $t->testdir();
my @pids;

# they listen before they drop what they may: only where nginx may go

umask 0;
start($_) for 0, 1;

END {
    my $code = $?;

    for my $pid (grep { $_ } @pids) {
        kill CONT => $pid;
        kill KILL => $pid;
        waitpid $pid, 0;
    }

    $? = $code;
}

$t->write_file_expand('nginx.conf', ims_conf(workers => 2, grace => '2s',
    media => 'unix:%%TESTDIR%%/0.sock unix:%%TESTDIR%%/1.sock',
    media_lost => '1s'));
$t->run();

my $core = IMS::Core->new()->registrar();
my @browsers = map { IMS::Browser->open(token => $jwt->token("user$_")) } 1 .. 6;

$_->register() for @browsers;

# frozen: half of the calls, more or less, are its own

my @calls = map { call_up($_, $core) } @browsers;
my ($at0, $at1) = map { scalar calls($_) } 0, 1;

is($at0 + $at1, 6, 'six calls');
ok($at0, 'some at the first');

kill STOP => $pids[0];

is(ended(), $at0, 'frozen: its calls have ended');
is(scalar calls(1), $at1, 'frozen: those of the other have not');

my @again = map { call_up($_, $core) } free();
is(scalar @again, $at0, 'frozen: new calls');
is(scalar calls(1), 6, 'frozen: all at the other');

kill CONT => $pids[0];

ok(IMS::Loop::wait_for(sub { calls(0) == 0 }, 3),
    'it goes on: its calls are gone there, too');

# killed, and not started again for a while

@calls = (@again, grep { !$_->{over} } @calls);
kill KILL => $pids[1];
waitpid $pids[1], 0;

is(ended(), 6, 'killed: its calls have ended');

@calls = map { call_up($_, $core) } @browsers;
is(scalar calls(0), 6, 'killed: new calls go to the first');

# killed and there again at once: it is asked, and knows none

start(1);
kill KILL => $pids[0];
waitpid $pids[0], 0;
start(0);

is(ended(), 6, 'restarted: its calls have ended');

for (1 .. 20) {
    @calls = map { eval { call_up($_, $core) } } $browsers[0];
    last if @calls;
}

is(scalar @calls, 1, 'restarted: calls again');
is(hang_up($browsers[0], $calls[0]{web}, $core), 200, 'as ever');
ok(IMS::Loop::wait_for(sub { calls(0) + calls(1) == 0 }, 3),
    'nothing is left at the helpers');

my $status = IMS::Browser::api('GET', path => '/ims/status')->{json};
is($status->{pools}[0]{dialogs}, 0, 'nor in the zone');
is($status->{media}{up}, 2, 'both are up');

$_->close() for @browsers;

# how many calls end within the time, on both sides and for that reason

sub ended {
    my $start = time();
    my ($web, $at_core) = (0, 0);

    while (time() - $start < 4 * $IMS::Loop::SLOW) {

        for my $end ($core, @browsers) {
            my $bye = $end->expect('BYE', 0.02) or next;
            $end->reply($bye, 200, 'OK');
            next unless $bye->h('Reason') =~ /media lost/;

            $end == $core ? $at_core++ : $web++;
            $_->{over} = 1 for grep {
                $_->{sent}->h('Call-ID') eq $bye->h('Call-ID') } @calls;
        }
    }

    return $web == $at_core ? $web : "$web and $at_core";
}

# browsers without a call

sub free {
    my %busy = map { $_->{sent}->h('From') => 1 } grep { !$_->{over} } @calls;

    return grep {
        my $impu = $_->{impu};
        !grep { /\Q$impu\E/ } keys %busy;
    } @browsers;
}

sub start {
    my ($n) = @_;

    unlink "$dir/$n.sock";

    my $web = 28710 + $n;
    my $first = 28720 + 40 * $n;
    my $last = $first + 39;

    $pids[$n] = fork();

    if (!$pids[$n]) {
        open STDERR, '>>', "$dir/helper.log";
        exec $helper, '-d', '-c', "unix:$dir/$n.sock", '-w', "127.0.0.1:$web",
            '-i', '127.0.0.1', '-p', "$first-$last";
        die "can't run $helper: $!\n";
    }

    for (1 .. 200) {
        last if -S "$dir/$n.sock";
        sleep 0.02;
    }

    chmod 0666, "$dir/$n.sock";
}

# what the helper has

sub calls {
    my ($n) = @_;

    my $s = IO::Socket::UNIX->new(Peer => "$dir/$n.sock") or return ();
    my $got = '';

    syswrite $s, 'q_1 ' . IMS::NG::encode({ command => 'list', limit => 99 });
    sysread $s, $got, 65536;

    my ($reply) = IMS::NG::decode($got, length 'q_1 ');

    return @{$reply->{calls} || []};
}
