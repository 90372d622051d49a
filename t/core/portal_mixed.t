#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The media helper on a Unix socket and rtpengine by UDP over IPv6, in one
# configuration: each has its part of the calls, by Call-ID. One is killed: its
# call ends, the other's has its media, and new ones are the other's.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/../lib",
    "$FindBin::Bin/../lib";

use IMS::Browser;
use IMS::Call qw/ call_up hang_up /;
use IMS::Conf;
use IMS::Core;
use IMS::Flow;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IMS::SIP;
use IO::Select;
use IO::Socket::IP;
use Socket qw/ SOCK_DGRAM /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $missing = IMS::Flow::missing();
BAIL_OUT($missing) if $missing;
my ($rtpengine) = grep { -x } map { "$_/rtpengine" } split(/:/, $ENV{PATH}),
    '/usr/sbin', '/usr/bin';
BAIL_OUT('rtpengine is not installed') unless $rtpengine;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(13);

my $pid = start();

END {
    my $code = $?;
    stop();
    $? = $code;
}

my $helper = IMS::Flow->helper($t->testdir() . '/1.sock', web => 28990,
    ports => '28900-28939');
my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(workers => 2, grace => '5s',
    media => 'unix:%%TESTDIR%%/1.sock udp:[::1]:28790', media_lost => '4s',
    http => 'ims_portal_media_timeout 10s;'));
$t->run();

my $far = IMS::Flow->echo($t);
my $core = IMS::Core->new()->registrar();
my %b = map { $_ => IMS::Browser->open(token => $jwt->token($_)) }
    qw/ mary bob /;

$_->register() for values %b;

# calls until each has one

my %call;

for (1 .. 40) {
    my $name = $call{helper} || $call{rtpengine} ? 'bob' : 'mary';
    my $one = up($name);
    my $at = (grep { index($_, $one->{id}) == 0 } $helper->calls())
        ? 'helper' : 'rtpengine';

    if ($call{$at}) {
        hang_up($b{$name}, $one->{web}, $core);

    } else {
        $call{$at} = $one;
    }

    last if keys %call == 2;
}

is(join(' ', sort keys %call), 'helper rtpengine', 'each has a call');
is(scalar calls(), 1, 'one at rtpengine');
is(scalar $helper->calls(), 1, 'one at the helper');

for (sort keys %call) {
    is($call{$_}{state}, 'connected', "$_: ICE and DTLS");
    media($call{$_}, $_);
}

# rtpengine is gone

stop();

for my $end ([ $b{$call{rtpengine}{name}} => 'browser' ], [ $core => 'core' ])
{
    my $bye = $end->[0]->expect('BYE', 40);
    is($bye && $bye->h('Reason'), 'SIP;cause=503;text="media lost"',
        "killed: BYE to the $end->[1]");
    $end->[0]->reply($bye, 200, 'OK') if $bye;
}

media($call{helper}, 'killed: the other');

my $new = $call{rtpengine}{name};
my @new = map { up($new) } 1 .. 6;

is(scalar $helper->calls(), 7, 'new calls are at the helper');
is(scalar(grep { hang_up($b{$new}, $_->{web}, $core) == 200 } @new), 6,
    'and over');
is(hang_up($b{$call{helper}{name}}, $call{helper}{web}, $core), 200,
    'the old one');

$_->close() for values %b;
$helper->stop();

# the log is looked at before the end

undef $t;

###############################################################################

sub start {
    my $child = fork();
    die "fork: $!\n" unless defined $child;

    if (!$child) {
        open STDERR, '>>', $t->testdir() . '/rtpengine.log';
        open STDOUT, '>&', \*STDERR;
        exec $rtpengine, '-f', '--config-file=none', '--table=-1', '-E',
            '--interface=web/127.0.0.1', '--interface=ims/127.0.0.1',
            '--listen-ng=[::1]:28790', '--port-min=28800',
            '--port-max=28899', '--delete-delay=0';
        die "can't run $rtpengine: $!\n";
    }

    $pid = $child;

    IMS::Loop::wait_for(sub { ng('ping')->{result} }, 30);

    return $child;
}

sub stop {
    my $child = $pid or return;

    $pid = 0;
    kill KILL => $child;
    waitpid $child, 0;
}

sub ng {
    my ($command) = @_;
    my $s = IO::Socket::IP->new(Type => SOCK_DGRAM, PeerHost => '::1',
        PeerPort => 28790) or return {};
    my $cookie = IMS::SIP::unique('q');
    my $got = '';

    syswrite $s, "$cookie " . IMS::NG::encode({ command => $command });
    IO::Select->new($s)->can_read(5) or return {};
    sysread $s, $got, 65536 or return {};

    my ($reply) = IMS::NG::decode($got, 1 + length $cookie);

    return $reply || {};
}

sub calls { return @{ng('list')->{calls} || []} }

sub up {
    my ($name) = @_;
    my $flow = IMS::Flow->new();

    my $call = call_up($b{$name}, $core, answer => $far, body => $flow->sdp());
    $call->{state} = $flow->go($call->{ok}{body});
    $call->{flow} = $flow;
    $call->{name} = $name;
    $call->{id} = $call->{sent}->h('Call-ID');

    return $call;
}

# packets go there and come back

sub media {
    my ($call, $name) = @_;
    my $back = 0;

    $call->{flow}->now();

    IMS::Loop::wait_for(sub { $back += ($call->{flow}->now())[1] // 0;
        $back >= 20 }, 20);

    cmp_ok($back, '>=', 20, "$name: media both ways");
}
