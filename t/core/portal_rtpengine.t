#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# rtpengine in the media helper's place: calls with media up and down, hold and
# resume, a re-INVITE of the far end, no port left behind; full, paused,
# restarted, gone; by TCP, calls without media, users without video. Beside the
# media helper it is in portal_mixed.t.

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
use IMS::RtpEngine;
use JSON::PP;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $missing = IMS::Flow::missing();
BAIL_OUT($missing) if $missing;
BAIL_OUT('rtpengine is not installed') unless IMS::RtpEngine::program();

my $t = Test::Nginx->new()->has(qw/ http /)->plan(47);

my $rtpengine = IMS::RtpEngine->new(dir => $t->testdir(),
    control => [ '--listen-ng=127.0.0.1:28590',
        '--listen-tcp-ng=127.0.0.1:28591' ], peer => [ '127.0.0.1', 28590 ],
    ports => '28600-28699');
my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(workers => 2, grace => '5s',
    media => 'udp:127.0.0.1:28590', media_lost => '4s',
    http => "ims_portal_media_timeout 10s;\nims_portal_media_consent 1s;"));
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

is(scalar $rtpengine->calls(), 2, 'two calls there');
is(hang_up($mary, $up->{web}, $core), 200, 'BYE up');
is(hang_up($core, $down->{core}, $bob), 200, 'BYE down');
ok(IMS::Loop::wait_for(sub { $rtpengine->calls() == 0 }, 10), 'nothing is left');

# paused: what comes meanwhile is answered when it goes on

$rtpengine->pause();
my $flow = IMS::Flow->new();
$mary->start('INVITE', sdp_body($flow->sdp()));
ok($core->none('INVITE', 0.3), 'paused: no INVITE yet');
$rtpengine->resume();
$seen = $core->expect('INVITE', 10);
ok($seen, 'then there is');
$core->reply($seen, 486, 'Busy Here');
is($mary->final('INVITE')->{code}, 486, 'and refused');
ok(IMS::Loop::wait_for(sub { $rtpengine->calls() == 0 }, 10), 'nothing is left');

# full

$rtpengine->stop();
$rtpengine->start('--max-sessions=1');
$up = up($mary);
is($up->{state}, 'connected', 'after a restart');
$bob->start('INVITE', sdp_body(IMS::Flow->new()->sdp()));
is($bob->final('INVITE')->{code}, 503, 'full: refused');

# another process at once: it is asked, and does not know the call

$rtpengine->stop();
$rtpengine->start();

for my $end ([ $mary => 'browser' ], [ $core => 'core' ]) {
    my $bye = $end->[0]->expect('BYE', 60);
    is($bye && $bye->h('Reason'), 'SIP;cause=503;text="media lost"',
        "restarted: BYE to the $end->[1]");
    $end->[0]->reply($bye, 200, 'OK') if $bye;
}

$up = up($mary);
is($up->{state}, 'connected', 'restarted: calls again');

# gone: its call ends

$rtpengine->stop();

for my $end ([ $mary => 'browser' ], [ $core => 'core' ]) {
    my $bye = $end->[0]->expect('BYE', 30);
    is($bye && $bye->h('Reason'), 'SIP;cause=503;text="media lost"',
        "dead: BYE to the $end->[1]");
    $end->[0]->reply($bye, 200, 'OK') if $bye;
}

$_->close() for $mary, $bob;

# by TCP; it takes calls away that have no media, and leaves video as it is

$t->write_file_expand('nginx.conf', ims_conf(workers => 2, grace => '5s',
    media => 'tcp:127.0.0.1:28591', media_lost => '4s',
    server => 'ims_portal_claim video video;',
    http => "ims_portal_media_timeout 10s;\nims_portal_media_consent 1s;"));
$rtpengine->start('--timeout=5');
$t->reload();
IMS::Loop::wait_for(sub { $t->read_file('error.log')
    =~ /(?:gracefully shutting down.*){2}/s }, 30);

my ($zoe, $eve) = map {
    my @token = @$_;
    IMS::Loop::wait_for(sub {
        eval { IMS::Browser->open(token => $jwt->token(@token)) } }, 20);
} [ 'zoe', video => JSON::PP::true ], [ 'eve', video => JSON::PP::false ];

for ([ $zoe, '[1-9]\d*', 'video' ], [ $eve, '0', 'no video' ]) {
    my ($web, $port, $name) = @$_;
    my $video = video(IMS::Flow->new()->sdp());

    $web->register();
    $web->start('INVITE', sdp_body($video));
    $seen = $core->expect('INVITE', 20);
    like($seen->{body}, qr/^m=audio [1-9]\d* .*^m=video $port /ms,
        "by TCP, a token with $name");
    $core->reply($seen, 486, 'Busy Here');
    $web->final('INVITE');
}

$up = up($zoe);
is($up->{state}, 'connected', 'by TCP: ICE and DTLS');
media($up, 'by TCP');
my $other = up($eve);
$up->{flow}->freeze();

for my $end ([ $zoe => 'browser' ], [ $core => 'core' ]) {
    my $bye = $end->[0]->expect('BYE', 60);
    is($bye && $bye->h('Reason'), 'SIP;cause=503;text="media lost"',
        "no media: BYE to the $end->[1]");
    $end->[0]->reply($bye, 200, 'OK') if $bye;
}

media($other, 'no media: another call');
is(hang_up($eve, $other->{web}, $core), 200, 'no media: it is hung up');

$_->close() for $zoe, $eve;

# the log is looked at before the end

undef $t;

###############################################################################

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

# an offer with video in its bundle

sub video {
    my ($sdp) = @_;
    my ($transport) = $sdp =~ /^m=audio.*?\r\n(.*)/ms;

    $transport =~ s/^a=(?:mid|rtpmap|fmtp|ptime):.*\r\n//mg;
    $sdp =~ s/^(a=group:BUNDLE \S+)/$1 v/m;

    return "${sdp}m=video 9 UDP/TLS/RTP/SAVPF 102\r\n$transport"
        . "a=mid:v\r\na=rtpmap:102 H264/90000\r\n"
        . "a=fmtp:102 packetization-mode=1;profile-level-id=42e01f\r\n";
}

sub media {
    my ($call, $name) = @_;

    cmp_ok($call->{flow}->back(), '>=', 20, "$name: media both ways");
}

sub version {
    my ($sdp) = @_;

    $sdp =~ s/^(o=\S+ \S+ )(\d+)/$1 . ($2 + ++$main::version)/me;

    return $sdp;
}

sub ufrag { return $_[0] =~ /^a=ice-ufrag:(\S+)/m ? $1 : '' }
