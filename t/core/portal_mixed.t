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
use IMS::RtpEngine;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $missing = IMS::Flow::missing();
BAIL_OUT($missing) if $missing;
BAIL_OUT('rtpengine is not installed') unless IMS::RtpEngine::program();

my $t = Test::Nginx->new()->has(qw/ http /)->plan(13);

my $rtpengine = IMS::RtpEngine->new(dir => $t->testdir(),
    control => [ '--listen-ng=[::1]:28790' ], peer => [ '::1', 28790 ],
    ports => '28800-28899');
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
is(scalar $rtpengine->calls(), 1, 'one at rtpengine');
is(scalar $helper->calls(), 1, 'one at the helper');

for (sort keys %call) {
    is($call{$_}{state}, 'connected', "$_: ICE and DTLS");
    media($call{$_}, $_);
}

# rtpengine is gone

$rtpengine->stop();

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

sub media {
    my ($call, $name) = @_;

    cmp_ok($call->{flow}->back(), '>=', 20, "$name: media both ways");
}
