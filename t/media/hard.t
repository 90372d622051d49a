#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The helper at its limits: descriptors, ports, load; what it has given up,
# seen from outside; signals that are not meant for it.

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use Test::More;

use lib dirname(abs_path(__FILE__)) . '/../lib';

use IMS::MediaServer;
use IMS::SDP qw/ web_sdp ims_sdp /;

my $sanitized = (IMS::MediaServer::helper() =~ /sanitize/);
my $h;

# what is given up

$h = IMS::MediaServer->helper_new();
is($h->ng('ping')->{result}, 'pong', 'it runs');
is($h->status('NoNewPrivs'), 1, 'no new privileges');
like($h->status('Uid'), qr/^[1-9]/, 'no root');

if (!$sanitized) {
    is($h->status('Seccomp'), 2, 'system calls are filtered');
    is($h->status('CapEff'), '0' x 16, 'no capabilities');
    is($h->status('CapPrm'), '0' x 16, 'none to get back');

    # who may not look is not dumpable either

    my $root = readlink "/proc/$h->{pid}/root";
    my $said = ($h->text() =~ /files (none|locked|in reach)/)[0];

    ok(!defined $root || $root =~ /deleted/ || $said ne 'none',
        "its root has no name, files: $said");
    is(scalar(my @in = glob "/proc/$h->{pid}/root" . '/*'), 0, 'nor a file')
        if $said eq 'none';
    isnt($said, undef, 'it says how far it came');

    open my $f, '<', "/proc/$h->{pid}/limits";
    my $limits = join '', $f ? <$f> : ();
    like($limits, qr/Max core file size\s+0\s+0 /, 'no core');
    like($limits, qr/Max processes\s+0\s+0 /, 'no child');
}

# signals of other daemons' customs

kill $_, $h->{pid} for qw/ HUP USR1 USR2 PIPE /;
is($h->ng('ping')->{result}, 'pong', 'a stray signal ends nothing');
is($h->stop(), 0, 'SIGTERM does, well');

# few descriptors: fewer port pairs, said at the start

$h = limited('ulimit -n 300', '-p', '28300-28999');
like($h->text(), qr/300 open files allowed, the port range needs 1724/,
    'few descriptors are told');

my $calls = fill();
cmp_ok($calls, '>', 20, "$calls calls with 300 descriptors");
cmp_ok($calls, '<', 150, 'and no more');
is(statistics()->{'port pairs used'}, $calls, 'a port pair each');
is($h->ng('ping')->{result}, 'pong', 'there are descriptors for control');
empty($calls);
is(fill(), $calls, 'and as many again');
empty($calls);
is(statistics()->{'port pairs used'}, 0, 'all ports are free');
is($h->stop(), 0, 'ends well');

# few ports, and somebody else has one of them

my $odd = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1',
    LocalPort => 28203);
ok($odd, 'a port of the range is taken');

$h = IMS::MediaServer->helper_new(options => [qw/ -p 28200-28207 /]);
is(fill(), 3, 'the other pairs serve');
is(offer('more')->{'error-reason'}, 'Ran out of ports', 'no more');
is(reoffer('call0')->{result}, 'ok', 'a call that is there goes on');

$h->ng('delete', 'call-id' => 'call1');
is(offer('next')->{result}, 'ok', 'a port that is free serves at once');
is($h->stop(), 0, 'ends well');
close $odd;

# few calls

$h = IMS::MediaServer->helper_new(options => [qw/ -m 2 /]);
is(fill(), 2, 'as many as -m says');
is(offer('more')->{'error-reason'}, 'Parallel session limit reached',
    'no more');
is(offer('more', supports => ['load limit'])->{result}, 'load limit',
    'told to who understands it');
is(reoffer('call0')->{result}, 'ok', 'a re-offer is none');
is($h->stop(), 0, 'ends well');

# too late, again and again: new calls are refused, no others

$h = IMS::MediaServer->helper_new(options => [qw/ -D 100 /]);
is(offer('a')->{result}, 'ok', 'a call');

my $r;

for (1 .. 30) {
    kill 'STOP', $h->{pid};
    select undef, undef, undef, 0.4;
    kill 'CONT', $h->{pid};
    $h->ng('ping');
    $r = offer("late$_", supports => ['load limit']);
    last if $r->{result} ne 'ok';
}

is($r->{result}, 'load limit', 'the loop is late: no new call');
is($r->{message}, 'Load limit exceeded', 'says why');
is(reoffer('a')->{result}, 'ok', 'but that which is there goes on');
ok(soon(sub { offer('again')->{result} eq 'ok' }), 'it recovers');
cmp_ok(statistics()->{overloads}, '>=', 1, 'counted');
is(scalar(() = $h->text() =~ /new calls are refused/g), 1, 'one line');
is($h->stop(), 0, 'ends well');

# too much CPU: here anything is

$h = IMS::MediaServer->helper_new(options => [qw/ -C 1 -D 0 /]);
is(offer('a')->{result}, 'ok', 'a call');

my $end = time() + 120;
my $n = 0;

do {
    $h->ng('list') for 1 .. 200;
    $r = offer('cpu' . $n++);
} while ($r->{result} eq 'ok' && time() < $end);

is($r->{'error-reason'}, 'Parallel session limit reached',
    'the core is used up: no new call');
is(reoffer('a')->{result}, 'ok', 'but that which is there goes on');
ok(soon(sub { offer('again')->{result} eq 'ok' }), 'it recovers');
is($h->stop(), 0, 'ends well');

done_testing();

# started by a shell that has set a limit first, which root could raise again

sub limited {
    my ($limit, @options) = @_;
    my $helper = IMS::MediaServer::helper();
    my $setpriv = $> ? '' : 'setpriv --bounding-set=-sys_resource';

    local $ENV{MEDIA_HELPER} = "$h->{dir}/limited";
    open my $f, '>', $ENV{MEDIA_HELPER} or die $!;
    print $f "#!/bin/sh\n$limit\nexec $setpriv '$helper' \"\$@\"\n";
    close $f;
    chmod 0755, $ENV{MEDIA_HELPER};

    return IMS::MediaServer->helper_new(options => [@options]);
}

sub offer {
    my ($id, @keys) = @_;

    return $h->ng('offer', 'call-id' => $id, 'from-tag' => 'A',
        'transport-protocol' => 'RTP/AVP', ICE => 'remove',
        direction => [qw/ web ims /], sdp => web_sdp(), @keys);
}

sub reoffer { return offer($_[0], 'to-tag' => 'B') }

# calls until there are no more; how many

sub fill {
    my $n = 0;

    $n++ while $n < 1000 && offer("call$n")->{result} eq 'ok';

    return $n;
}

sub empty { $h->ng('delete', 'call-id' => "call$_") for 0 .. $_[0] - 1 }

sub statistics { return $h->ng('statistics')->{statistics} }

sub soon {
    my ($true) = @_;

    for (1 .. 300) {
        return 1 if $true->();
        select undef, undef, undef, 0.1;
    }

    return 0;
}
