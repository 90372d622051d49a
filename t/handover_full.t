#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A worker stands still: what the core sends to its browsers waits, what is too
# much gets 503, the others are served, and when it goes on nothing is lost,
# doubled or reordered.

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

my $t = Test::Nginx->new()->has(qw/ http /)->plan(13);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    workers => 2, listen => '127.0.0.1:8080 reuseport', grace => '10s',
    t1 => 60 * $IMS::Loop::SLOW . 'ms',
    http => 'log_format pid "$pid $uri $status";',
    sip => 'access_log %%TESTDIR%%/pid.log pid;'));

$t->run();

my $core = IMS::Core->new()->registrar();

# browsers until one worker has six and the other one

my (%of, $still, $free);

for my $n (1 .. 60) {
    my $web = IMS::Browser->open(token => $jwt->token("user$n"));
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

for my $web (@there) {
    $web->{on}{MESSAGE} = sub {
        my ($self, $msg) = @_;

        push @{$got{$self->{impu}}}, $msg->{body};
        $self->reply($msg, 200, 'OK');

        # so many answers at once do not fit into the core's socket

        $core->readable($core->{sock});
    };
}

sub text { return $core->terminating('MESSAGE', to => $_[0]{impu}, body => $_[1]) }

# it stands still, and gets more than can wait

my ($each, $first) = (60);

kill 'STOP', $still;
IMS::Loop::pause(0.1);

for my $n (1 .. $each) {
    for my $web (@there) {
        my $msg = text($web, $n);
        $sent{$msg->h('Call-ID')} = [ $web->{impu}, $n ];
        $core->again($first = $msg) if $n == 1;
    }

    # not faster than one worker reads

    IMS::Loop::pause(0.005);
}

IMS::Loop::pause(0.3);

my @refused = grep { defined $_->{code} && $_->{code} >= 200
    && $_->cseq_method() eq 'MESSAGE' } @{$core->{all}};

cmp_ok(scalar @refused, '>', 20, 'what does not fit is refused');
is(scalar(grep { $_->{code} == 503 && ($_->h('Retry-After') || 0) > 0 }
    @refused), scalar @refused, 'with 503 and Retry-After');

# the other worker goes on, both ways

text($other, 'hello');
my $msg = $other->expect('MESSAGE', 2);
is($msg->{body}, 'hello', 'the other worker goes on');
$other->reply($msg, 200, 'OK');

my $came = $other->start('MESSAGE', body => 'x') && $core->expect('MESSAGE', 2);
$core->reply($came, 200, 'OK');
is($other->final('MESSAGE', 2)->{code}, 200, 'up, too');

is(join(',', %got), '', 'nothing came yet');

# and then it goes on

delete @sent{map { $_->h('Call-ID') } @refused};
kill 'CONT', $still;

my $answered = sub { scalar grep { defined $_->{code} && $_->{code} == 200
    && $sent{$_->h('Call-ID')} } @{$core->{all}} };
IMS::Loop::wait_for(sub { $answered->() >= keys %sent }, 3);

is($answered->(), scalar keys %sent, 'each that waited is answered')
    or diag join ' ', map { "$_->{code} " . $_->h('Warning') } grep {
        defined $_->{code} && $_->{code} > 200 && $sent{$_->h('Call-ID')} }
        @{$core->{all}};

my (%all, $turned);
$all{"$_->[0] $_->[1]"} = 1 for values %sent;
my @came = map { my $impu = $_; map { "$impu $_" } @{$got{$impu}} } keys %got;

is(scalar @came, scalar keys %all, 'each came once');
is(scalar(grep { !$all{$_} } @came), 0, 'no other came');

for my $list (values %got) {
    $turned += $list->[$_] < $list->[$_ - 1] for 1 .. $#$list;
}

is($turned, 0, 'in order');

# and as before

text($there[0], 'again');
IMS::Loop::wait_for(sub { $got{$there[0]{impu}}[-1] eq 'again' }, 2);
is($got{$there[0]{impu}}[-1], 'again', 'as before');

my $s = IMS::Browser::api('GET', path => '/ims/status')->{json}{pools}[0];
cmp_ok($s->{handed_over}, '>', 250, 'handed over');
is($s->{not_handed}, scalar @refused, 'those refused are counted');
is(scalar($t->read_file('error.log') =~ /too many messages wait for worker $still/),
    1, 'logged');

$_->close() for map { @$_ } values %of;
