#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A worker is killed while messages wait for it: they are gone with it, and what
# the core sends again is answered, once, by whoever is left; its browsers come
# back to what they had.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->todo_alerts()->plan(12);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    workers => 2, listen => '127.0.0.1:8080 reuseport', grace => '3s',
    http => 'log_format pid "$pid $uri $status";',
    sip => 'access_log %%TESTDIR%%/pid.log pid;'));

$t->run();

my $core = IMS::Core->new()->registrar();

# browsers until one worker has six and the other one

my (%of, $still, $free);

for my $n (1 .. 60) {
    my %is = (token => $jwt->token("user$n"), instance => "instance-$n",
        host => "host$n.invalid");
    my $web = IMS::Browser->open(%is);
    $web->{is} = \%is;
    $web->register();

    my ($pid) = $t->read_file('pid.log') =~ m!(\d+) /ims/sip 101\n\z!;
    push @{$of{$pid}}, $web;

    ($still) = grep { @{$of{$_}} >= 6 } keys %of;
    ($free) = grep { $_ != ($still || 0) } keys %of;
    last if $still && $free;
}

my @there = @{$of{$still}}[0 .. 5];
my $other = $of{$free}[0];
my (%got, %sent);

sub got {
    my ($web, $got) = @_;

    $web->{on}{MESSAGE} = sub {
        my ($self, $msg) = @_;

        push @{$got->{$self->{impu}}}, $msg->{body};
        $self->reply($msg, 200, 'OK');
    };
}

got($_, \%got) for @there;

sub text { return $core->terminating('MESSAGE', to => $_[0]{impu}, body => $_[1]) }

# it stands still, messages wait for it, and it is killed

my @texts;

kill 'STOP', $still;
IMS::Loop::pause(0.1);

for my $n (1 .. 10) {
    push @texts, text($_, $n) for @there;
}

IMS::Loop::pause(0.2);

my $finals = sub {
    my ($of) = @_;

    return grep { defined $_->{code} && $_->{code} >= 200
        && $_->h('Call-ID') eq $of->h('Call-ID') } @{$core->{all}};
};

is(scalar(map { $finals->($_) } @texts), 0, 'they wait');

kill 'KILL', $still;
ok(IMS::Loop::wait_for(sub { IMS::Loop::pause(0.05);
    $t->read_file('error.log')
        =~ /worker $still is gone, and \d+ hand-over messages for it/ }, 3),
    'logged');
is(scalar(map { $finals->($_) } @texts), 0, 'they are gone');

# the core sends them again, as it does after T1

$core->again($_) for @texts;
IMS::Loop::wait_for(sub { @texts == grep { $finals->($_) } @texts }, 3);

is(scalar(grep { $finals->($_) == 1 } @texts), scalar @texts,
    'each is answered, once');
is(join(' ', sort { $a <=> $b } keys %{{ map { $_->{code} => 1 }
    map { $finals->($_) } @texts }}), '480', 'as not reachable');
is(join(',', %got), '', 'none came');

# the others did not notice

text($other, 'hello');
my $msg = $other->expect('MESSAGE', 2);
is($msg->{body}, 'hello', 'the other worker goes on');
$other->reply($msg, 200, 'OK');

# back, with what they had, and reached

my @back = map { IMS::Browser->open(%{$_->{is}}) } @there;

is(join(' ', map { $_->{impu} } @back), join(' ', map { $_->{impu} } @there),
    'the same identities');
is(scalar(grep { $_->register()->{code} == 200 } @back), scalar @back,
    'registered');

got($_, \%got) for @back;

for my $n (1 .. 3) {
    text($_, "new $n") for @back;
}

IMS::Loop::wait_for(sub { 3 * @back == map { @$_ } values %got }, 3);

is(scalar(grep { join(' ', sort @$_) eq 'new 1 new 2 new 3' } values %got),
    scalar @back, 'all come, each once');
is($core->{again}, 0, 'no answer twice');

is(join("\n", grep { !/worker process $still exited on signal 9/ }
    $t->read_file('error.log') =~ /\[alert\].*/g), '', 'no other alert');

$_->close() for @back, map { @{$of{$_}} } grep { $_ ne $still } keys %of;
