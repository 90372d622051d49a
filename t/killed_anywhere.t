#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Workers are killed at random moments while browsers register, call, and write
# to each other: no identity is lost or given twice, no record is left, and
# somebody leads.
#
#   TEST_IMS_KILLS=300  how many, 60 by default
#   TEST_IMS_SEED=7     which moments

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

my ($kills, $count) = ($ENV{TEST_IMS_KILLS} || 60, 12);
my $slow = $IMS::Loop::SLOW;

my $t = Test::Nginx->new()->has(qw/ http /)->todo_alerts()->plan(16);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    workers => 3, grace => '2s', media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();
srand($ENV{TEST_IMS_SEED} || 1);

my $core = IMS::Core->new()->registrar();
$core->{on}{$_} = \&answer for qw/ MESSAGE BYE /;

my @users = map { { n => $_, token => $jwt->token("user$_"),
    instance => "instance-$_", host => "host$_.invalid" } } 1 .. $count;
my (%identity, @wrong);
my ($calls, $ends) = (0, 0);

sub answer { $_[0]->reply($_[1], 200, 'OK') }

# $t is given: a name in a sub would keep it beyond the end of the test

sub workers {
    my ($t) = @_;
    my $master = $t->read_file('nginx.pid') + 0;

    my @pids;

    for my $stat (glob '/proc/[0-9]*/stat') {
        open my $fh, '<', $stat or next;
        my ($pid, $parent) = (<$fh> || '') =~ /^(\d+) \(.*\) . (\d+)/;
        push @pids, $pid if $pid && $parent == $master;
    }

    return @pids;
}

sub leader {
    my ($t) = @_;
    my @led = $t->read_file('error.log') =~ /(\d+)#\d+: this worker leads/g;

    return $led[-1] || 0;
}

sub status {
    my $s = eval { IMS::Browser::api('GET', path => '/ims/status')->{json} };

    return $s ? $s->{pools}[0] : {};
}

# a socket and a registration for who has none

sub back {
    my ($user) = @_;
    my $web = $user->{web};

    return 1 if $web && !$web->{eof} && $user->{in};

    delete $user->{in};
    $web = $user->{web} = eval { IMS::Browser->open(token => $user->{token},
        instance => $user->{instance}, host => $user->{host}) };
    return 0 unless $web && $web->{status} == 101;

    $web->{on}{$_} = \&answer for qw/ MESSAGE INFO /;
    $identity{$user->{n}} ||= $web->{impu};
    push @wrong, "$user->{n}: $web->{impu}"
        if $web->{impu} ne $identity{$user->{n}};

    return $user->{in} = ($web->register(wait => 10)->{code} || 0) == 200;
}

# one of the things that people do

sub act {
    my ($user) = @_;

    return unless back($user);

    my $web = $user->{web};
    my $call = delete $user->{call};

    if (!$call) {
        $user->{call} = eval { rand() < 0.5 ? call_up($web, $core)
            : call_down($web, $core) };
        $calls++ if $user->{call};

    } elsif (rand() < 0.5) {
        $core->within($call->{core}, 'INFO');
        $user->{call} = $call;

    } elsif (rand() < 0.5) {
        $ends++ if hang_up($web, $call->{web}, $core) == 200;

    } else {
        $ends++ if hang_up($core, $call->{core}, $web) == 200;
    }

    for (1 .. 3) {
        my $other = $users[rand @users];
        $other->{web}->start('MESSAGE', body => 'x') if $other->{in}
            && !$other->{web}{eof};
        $core->terminating('MESSAGE', to => $identity{$other->{n}},
            body => 'y') if $core->{registered}{$identity{$other->{n}} || ''};
    }

    $web->forget();
    $core->forget();
}

back($_) for @users;
is(scalar(grep { $_->{in} } @users), $count, 'all registered');

# what is lost with its worker is not waited for long

$IMS::Loop::SLOW = 0.06 * $slow;

my $killer = fork();

if ($killer == 0) {
    for (1 .. $kills) {
        select undef, undef, undef, 0.04 + rand 0.14;
        my @pids = workers($t);
        kill 'KILL', $pids[rand @pids] if @pids;
    }

    $t->write_file('killed', 'x');
    exec 'true';
}

act($users[rand @users]) while !-e $t->testdir() . '/killed';
waitpid $killer, 0;

$IMS::Loop::SLOW = $slow;

my @killed = $t->read_file('error.log') =~ /exited on signal 9/g;
cmp_ok(scalar @killed, '>', $kills / 2, 'killed: ' . @killed);

cmp_ok($calls, '>', 5, "calls meanwhile: $calls");
cmp_ok($ends, '>', 0, "hung up: $ends");

# all come back to what they had

IMS::Loop::pause(0.3);
is(scalar(grep { back($_) || back($_) } @users), $count, 'all are back');
is("@wrong", '', 'each with the same identity');

my %seen = map { $_->{web}{impu} => 1 } @users;
is(scalar keys %seen, $count, 'no identity twice');

my $got = 0;

for my $user (@users) {
    delete $user->{web}{on}{MESSAGE};
    $core->terminating('MESSAGE', to => $user->{web}{impu},
        body => "for $user->{n}");
    my $msg = $user->{web}->expect('MESSAGE', 2) or next;
    $msg = $user->{web}->expect('MESSAGE', 2) while $msg
        && $msg->{body} ne "for $user->{n}";
    $user->{web}->reply($msg, 200, 'OK') if $msg;
    $got++ if $msg;
}

is($got, $count, 'all reached');

# one leader after another

my $elected = 0;

for (1 .. 3) {
    my $pid = leader($t);
    kill 'KILL', $pid;
    $elected++ if IMS::Loop::wait_for(sub {
        IMS::Loop::pause(0.05); my $new = leader($t);
        $new != $pid && kill 0, $new });
}

is($elected, 3, 'a leader each time');

# half of them are lost, the others stay: so many bindings

back($_) || back($_) for @users;
my @lost = splice @users, 0, $count / 2;
close delete $_->{web}{sock} for @lost;
IMS::Loop::wait_for(sub { IMS::Loop::pause(0.1);
    status()->{bindings} == @users }, 8);

my $s = status();
is($s->{bindings}, scalar @users, 'bindings of those that are there');
is($s->{leased}, $count, 'leases last longer');

my @there = sort keys %{$core->{registered}};
is("@there", join(' ', sort map { $_->{web}{impu} } @users),
    'no other binding in the core');

# and they leave

$_->{web}->close() for @users;
IMS::Loop::wait_for(sub { IMS::Loop::pause(0.1);
    my $s = status(); !$s->{bindings} && !$s->{dialogs} }, 8);

$s = status();
is($s->{bindings}, 0, 'no binding left');
is($s->{dialogs}, 0, 'no dialog left');
is($s->{texts_used}, $s->{leased}, 'no text left but who has an identity');

is(join("\n", grep { !/exited on signal 9|was locked by/ }
    $t->read_file('error.log') =~ /\[(?:alert|emerg|crit)\].*/g), '',
    'no other alert');
