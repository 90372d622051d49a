#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# rtpengine in the media helper's place: calls with media up and down, hold and
# resume, a re-INVITE of the far end, no port left behind; full, paused,
# restarted, gone. Beside the media helper it is in portal_mixed.t.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/../lib",
    "$FindBin::Bin/../lib";

use IMS::Browser;
use IMS::Call qw/ call_up hang_up sdp_body /;
use IMS::Conf;
use IMS::Core;
use IMS::Flow;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IMS::SIP;
use IO::Select;
use IO::Socket::INET;
use Test::Nginx;
use Time::HiRes qw/ sleep /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $missing = IMS::Flow::missing();
BAIL_OUT($missing) if $missing;
my ($rtpengine) = grep { -x } map { "$_/rtpengine" } split(/:/, $ENV{PATH}),
    '/usr/sbin', '/usr/bin';
BAIL_OUT('rtpengine is not installed') unless $rtpengine;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(36);

my $pid = start();

END {
    my $code = $?;
    stop();
    $? = $code;
}

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(workers => 2, grace => '5s',
    media => 'udp:127.0.0.1:28590', media_lost => '4s',
    http => 'ims_portal_media_timeout 10s;'));
$t->run();

my $far = IMS::Flow->echo($t);
my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));
my $bob = IMS::Browser->open(token => $jwt->token('bob'));

$_->register() for $mary, $bob;

# up

my $up = up($mary);
is($up->{state}, 'connected', 'up: ICE and DTLS');
media($up, 'up');

my $offer = $up->{seen}{body};
my $answer = $up->{ok}{body};

like($offer, qr!^m=audio \d+ RTP/AVP !m, 'the core is offered RTP/AVP');
unlike($offer, qr/^a=(?:candidate|ice-|fingerprint|setup|rtcp-mux|crypto|group)/m,
    'and no ICE, no DTLS');
like($answer, qr!^m=audio \d+ UDP/TLS/RTP/SAVPF !m, 'the browser is answered');
unlike($answer, qr/^a=crypto/m, 'without SDES');
like($answer, qr/^a=$_/m, "with $_")
    for qw/ candidate ice-ufrag fingerprint:sha-256 setup rtcp-mux mid /;

# down

my $down = down($bob);
is($down->{state}, 'connected', 'down: ICE and DTLS');
media($down, 'down');

# hold and resume by the browser, then a re-INVITE of the core

my $sdp = $up->{sdp};

for my $direction (qw/ sendonly sendrecv /) {
    my $other = $direction eq 'sendonly' ? 'recvonly' : 'sendrecv';

    $up->{sdp} = version($up->{sdp}) =~ s/a=sendrecv|a=sendonly/a=$direction/r;
    $mary->within($up->{web}, 'INVITE', sdp_body($up->{sdp}));
    my $seen = $core->expect('INVITE');
    like($seen->{body}, qr/^a=$direction/m, "browser: $direction");
    $core->reply($seen, 200, 'OK', headers => [ Contact => $core->contact(),
        'Content-Type' => 'application/sdp' ],
        body => version($far) =~ s/a=sendrecv/a=$other/r);
    my $ok = $mary->final('INVITE');
    like($ok->{body}, qr/^a=$other/m, "answered $other");
    is(ufrag($ok->{body}), ufrag($answer), 'no ICE restart');
    $mary->within($up->{web}, 'ACK');
    $core->expect('ACK');
}

media($up, 'resumed');

$core->within($up->{core}, 'INVITE', sdp_body(version($far)));
my $seen = $mary->expect('INVITE');
like($seen->{body}, qr!^m=audio \d+ UDP/TLS/RTP/SAVPF !m, 'core: re-INVITE');
$mary->reply($seen, 200, 'OK', headers => [ Contact => $mary->contact(),
    'Content-Type' => 'application/sdp' ],
    body => version($sdp) =~ s/a=setup:actpass/a=setup:active/r);
like($core->final('INVITE')->{body}, qr!^m=audio \d+ RTP/AVP !m, 'answered');
$core->within($up->{core}, 'ACK');
$mary->expect('ACK');
media($up, 'after that');

# over

is(scalar calls(), 2, 'two calls there');
is(hang_up($mary, $up->{web}, $core), 200, 'BYE up');
is(hang_up($core, $down->{core}, $bob), 200, 'BYE down');
ok(IMS::Loop::wait_for(sub { calls() == 0 }, 10), 'nothing is left');

# paused: what comes meanwhile is answered when it goes on

kill STOP => $pid;
my $flow = IMS::Flow->new();
$mary->start('INVITE', sdp_body($flow->sdp()));
ok($core->none('INVITE', 0.3), 'paused: no INVITE yet');
kill CONT => $pid;
$seen = $core->expect('INVITE', 10);
ok($seen, 'then there is');
$core->reply($seen, 486, 'Busy Here');
is($mary->final('INVITE')->{code}, 486, 'and refused');
ok(IMS::Loop::wait_for(sub { calls() == 0 }, 10), 'nothing is left');

# full

stop();
$pid = start('--max-sessions=1');
$up = up($mary);
is($up->{state}, 'connected', 'after a restart');
$bob->start('INVITE', sdp_body(IMS::Flow->new()->sdp()));
is($bob->final('INVITE')->{code}, 503, 'full: refused');

# gone: its call ends

stop('KILL');

for my $end ([ $mary => 'browser' ], [ $core => 'core' ]) {
    my $bye = $end->[0]->expect('BYE', 30);
    is($bye && $bye->h('Reason'), 'SIP;cause=503;text="media lost"',
        "dead: BYE to the $end->[1]");
    $end->[0]->reply($bye, 200, 'OK') if $bye;
}

$_->close() for $mary, $bob;

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
            '--listen-ng=127.0.0.1:28590', '--port-min=28600',
            '--port-max=28699', '--delete-delay=0', @_;
        die "can't run $rtpengine: $!\n";
    }

    $pid = $child;

    for (1 .. 400) {
        last if ng('ping')->{result};
        sleep 0.05;
    }

    return $child;
}

sub stop {
    my ($signal) = @_;
    my $child = $pid or return;

    $pid = 0;
    kill CONT => $child;
    kill $signal || 'KILL', $child;
    waitpid $child, 0;
}

sub ng {
    my ($command, @keys) = @_;
    my $s = IO::Socket::INET->new(Proto => 'udp', PeerAddr => '127.0.0.1',
        PeerPort => 28590) or return {};
    my $cookie = IMS::SIP::unique('q');
    my $got = '';

    syswrite $s, "$cookie " . IMS::NG::encode({ command => $command, @keys });
    IO::Select->new($s)->can_read(5) or return {};
    sysread $s, $got, 65536 or return {};

    my ($reply) = IMS::NG::decode($got, 1 + length $cookie);

    return $reply || {};
}

sub calls { return @{ng('list')->{calls} || []} }

sub up {
    my ($web) = @_;
    my $flow = IMS::Flow->new();
    my $sdp = $flow->sdp();

    my $call = call_up($web, $core, answer => $far, body => $sdp);
    $call->{state} = $flow->go($call->{ok}{body});
    @$call{qw/ flow sdp /} = ($flow, $sdp);

    return $call;
}

# the browser answers with what it would offer, in the active role

sub down {
    my ($web) = @_;
    my $flow = IMS::Flow->new();
    my $sdp = $flow->sdp() =~ s/a=setup:actpass/a=setup:active/r;

    my $sent = $core->terminating('INVITE', to => $web->{impu}, body => $far,
        headers => [ 'Content-Type' => 'application/sdp' ]);
    my $seen = $web->expect('INVITE');
    my $answer = $web->reply($seen, 200, 'OK', headers => [
        Contact => $web->contact(), 'Content-Type' => 'application/sdp' ],
        body => $sdp);
    my $ok = $core->final('INVITE');
    my $call = { core => $core->dialog($sent, $ok, 1),
        web => $web->dialog($seen, $answer, 0), flow => $flow };

    $core->within($call->{core}, 'ACK');
    $web->expect('ACK');
    $call->{state} = $flow->go($seen->{body});

    return $call;
}

# packets go there and come back

sub media {
    my ($call, $name) = @_;
    my ($sent, $back) = (0, 0);

    $call->{flow}->now();

    IMS::Loop::wait_for(sub {
        my ($n, $m) = $call->{flow}->now();
        $sent += $n // 0;
        $back += $m // 0;
        return $back >= 20;
    }, 20);

    cmp_ok($back, '>=', 20, "$name: media both ways");
}

sub version {
    my ($sdp) = @_;

    $sdp =~ s/^(o=\S+ \S+ )(\d+)/$1 . ($2 + ++$main::version)/me;

    return $sdp;
}

sub ufrag { return $_[0] =~ /^a=ice-ufrag:(\S+)/m ? $1 : '' }
