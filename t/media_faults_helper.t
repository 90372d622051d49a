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
use IMS::Flow;
use IMS::JWT;
use IMS::Loop;
use IMS::RtpEngine;
use IMS::SDP qw/ ims_sdp /;
use Test::Nginx;
use Time::HiRes qw/ time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

# MEDIA_SERVER=rtpengine: the same with that in the place of both, by UDP

my $rtpengine = ($ENV{MEDIA_SERVER} || '') =~ /rtpengine/;

BAIL_OUT("$IMS::Flow::HELPER is not built")
    unless $rtpengine || -x $IMS::Flow::HELPER;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(15);

my $jwt = IMS::JWT->new($t);
my $dir = $t->testdir();
my @servers = map { start($_) } 0, 1;

$t->write_file_expand('nginx.conf', ims_conf(workers => 2, grace => '2s',
    media => $rtpengine ? 'udp:127.0.0.1:28700 udp:127.0.0.1:28701'
        : 'unix:%%TESTDIR%%/0.sock unix:%%TESTDIR%%/1.sock',
    media_lost => '1s'));
$t->run();

my $core = IMS::Core->new()->registrar();
my @browsers = map { IMS::Browser->open(token => $jwt->token("user$_")) } 1 .. 6;

$_->register() for @browsers;

# two calls at the first, four at the other

my @calls;

for my $n (0 .. $#browsers) {

    for (1 .. 60) {
        my $before = calls(0);
        my $call = call_to($browsers[$n]);

        if ((calls(0) > $before) == ($n < 2)) {
            push @calls, $call;
            last;
        }

        hang_up($browsers[$n], $call->{web}, $core);
    }
}

is(scalar calls(0), 2, 'calls at the first');
is(scalar calls(1), 4, 'calls at the other');

# frozen

kill STOP => $servers[0]{pid};

is(ended(2), 2, 'frozen: its calls have ended');
is(scalar calls(1), 4, 'frozen: those of the other have not');

my @again = map { call_to($_) } @browsers[0, 1];
is(scalar @again, 2, 'frozen: new calls');
is(scalar calls(1), 6, 'frozen: all at the other');

kill CONT => $servers[0]{pid};

ok(IMS::Loop::wait_for(sub { calls(0) == 0 }, 3),
    'it goes on: its calls are gone there, too');

# killed, and not started again for a while

$servers[1]->stop('KILL');

is(ended(6), 6, 'killed: its calls have ended');

@calls = map { call_to($_) } @browsers;
is(scalar calls(0), 6, 'killed: new calls go to the first');

# killed and there again at once: it is asked, and knows none

$servers[1] = start(1);
$servers[0]->stop('KILL');
$servers[0] = start(0);

is(ended(6), 6, 'restarted: its calls have ended');

for (1 .. 20) {
    @calls = map { eval { call_to($_) } } $browsers[0];
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

# the helper opens a socket to where the far end's media is

sub call_to {
    my ($web) = @_;

    return call_up($web, $core, answer => ims_sdp() =~ s/192\.0\.2\.9/127.0.0.1/gr);
}

# how many calls end within the time, on both sides and for that reason

sub ended {
    my ($expected) = @_;

    my $until = time() + 5 * $IMS::Loop::SLOW;
    my ($web, $at_core) = (0, 0);
    my $all;

    while (time() < $until) {

        for my $end ($core, @browsers) {
            my $bye = $end->expect('BYE', 0.01) or next;
            $end->reply($bye, 200, 'OK');
            next unless $bye->h('Reason') =~ /media lost/;

            $end == $core ? $at_core++ : $web++;
        }

        # and no more than these

        $until = time() + 0.3 if !$all
            && ($all = $web == $expected && $at_core == $expected);
    }

    return $web == $at_core ? $web : "$web and $at_core";
}

sub start {
    my ($n) = @_;
    my $first = 28720 + 40 * $n;
    my $ports = "$first-" . ($first + 39);

    return IMS::RtpEngine->new(dir => $dir, ports => $ports,
        control => [ '--listen-ng=127.0.0.1:' . (28700 + $n) ],
        peer => [ '127.0.0.1', 28700 + $n ]) if $rtpengine;

    return IMS::Flow->helper("$dir/$n.sock", web => 28710 + $n,
        ports => $ports);
}

# what the helper has

sub calls { return $servers[$_[0]]->calls() }
