#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A token without video, with the helper itself: video is refused whoever offers
# it, and calls between users go by the helper, too.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ call_up hang_up sdp_body /;
use IMS::Conf;
use IMS::Core;
use IMS::Flow;
use IMS::JWT;
use IMS::Loop;
use IMS::SDP qw/ ims_sdp web_sdp /;
use JSON::PP;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

BAIL_OUT("$IMS::Flow::HELPER is not built") unless -x $IMS::Flow::HELPER;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(23);

my $jwt = IMS::JWT->new($t);
my $helper = IMS::Flow->helper($t->testdir() . '/ng.sock', web => 28740,
    ports => '28742-28799');

$t->write_file_expand('nginx.conf', ims_conf(auth => 'both',
    media => 'unix:%%TESTDIR%%/ng.sock', pool => 'local_calls on;',
    server => 'ims_portal_claim video video;'));
$t->run();

my $core = IMS::Core->new()->registrar();

my ($zoe, $mary, $ann) = map {
    IMS::Browser->open(token => $jwt->token(@$_));
} [ 'zoe', video => JSON::PP::false ], [ 'mary', video => JSON::PP::true ],
    [ 'ann' ];

is($_->register()->{code}, 200, 'registered') for $zoe, $mary, $ann;

# the same calls, with and without

sub web {
    my $sdp = web_sdp(@_);

    $sdp =~ s/BUNDLE 0/BUNDLE 0 1/;

    my ($audio) = $sdp =~ /(a=mid:0.*?)a=rtpmap/s;

    return $sdp . "m=video 9 UDP/TLS/RTP/SAVPF 102\r\nc=IN IP4 0.0.0.0\r\n"
        . ($audio =~ s/a=mid:0/a=mid:1/r)
        . "a=rtpmap:102 H264/90000\r\n"
        . "a=fmtp:102 packetization-mode=1;profile-level-id=42e01f\r\n"
        . "a=sendrecv\r\n";
}

sub ims {
    return ims_sdp(@_) =~ s/192\.0\.2\.9/127.0.0.1/gr
        . "m=video 40600 RTP/AVP 99\r\n"
        . "a=rtpmap:99 H264/90000\r\n"
        . "a=fmtp:99 packetization-mode=1;profile-level-id=42e01f\r\n"
        . "a=sendrecv\r\n";
}

sub port_of {
    my ($kind, $sdp) = @_;

    return $sdp =~ /^m=$kind (\d+)/m ? $1 ? 'on' : 'off' : 'none';
}

sub lines { return join ' ', map { port_of($_, $_[0]->{body}) }
    qw/ audio video / }

# the core answers video only where it was offered

sub up {
    my ($web) = @_;

    my $sent = $web->start('INVITE', sdp_body(web()));
    my $seen = $core->expect('INVITE');
    my $answer = ims();

    $answer =~ s/m=video 40600/m=video 0/
        if port_of('video', $seen->{body}) ne 'on';

    my $said = $core->reply($seen, 200, 'OK', headers => [
        Contact => $core->contact(), 'Content-Type' => 'application/sdp' ],
        body => $answer);
    my $ok = $web->expect('200 INVITE');
    my $dialog = $web->dialog($sent, $ok, 1);

    $web->within($dialog, 'ACK');
    $core->expect('ACK');
    is(hang_up($web, $dialog, $core), 200, 'the call ends');

    return lines($seen) . ', ' . lines($ok);
}

sub down {
    my ($web) = @_;

    my $sent = $core->terminating('INVITE', to => $web->{impu},
        body => ims(), headers => [ 'Content-Type' => 'application/sdp' ]);
    my $seen = $web->expect('INVITE');
    my $answer = web(setup => 'active');

    if (port_of('video', $seen->{body}) ne 'on') {
        $answer =~ s/BUNDLE 0 1/BUNDLE 0/;
        $answer =~ s/m=video 9/m=video 0/;
    }

    $web->reply($seen, 200, 'OK', body => $answer, headers => [
        Contact => $web->contact(), 'Content-Type' => 'application/sdp' ]);
    my $ok = $core->expect('200 INVITE');
    my $dialog = $core->dialog($sent, $ok, 1);

    $core->within($dialog, 'ACK');
    $web->expect('ACK');
    is(hang_up($core, $dialog, $web), 200, 'the call ends');

    return lines($seen) . ', ' . lines($ok);
}

is(up($_), 'on on, on on', 'up, with video') for $mary, $ann;
is(up($zoe), 'on off, on off', 'up, without');
is(down($mary), 'on on, on on', 'down, with video');
is(down($zoe), 'on off, on off', 'down, without');

# what is off stays off when the other side insists

my $sent = $zoe->start('INVITE', sdp_body(web()));
my $seen = $core->expect('INVITE');

unlike($seen->{body}, qr/H264/, 'no codec of it, either');
$core->reply($seen, 200, 'OK', body => ims(), headers => [
    Contact => $core->contact(), 'Content-Type' => 'application/sdp' ]);
my $ok = $zoe->expect('200 INVITE');
is(lines($ok), 'on off', 'answered though');
unlike($ok->{body}, qr/BUNDLE.* 1/, 'not of the bundle');
$zoe->within($zoe->dialog($sent, $ok, 1), 'ACK');
$core->expect('ACK');

# users of the portal: past the core only where both may have video

sub passes {
    my ($from, $to) = @_;

    $from->start('INVITE', to => $to->{impu}, sdp_body(web()));

    my ($where, $end) = ('core', $core);
    my $invite = $core->expect('INVITE', 0.5);

    ($where, $end, $invite) = ('web', $to, $to->expect('INVITE', 1))
        unless $invite;

    $end->reply($invite, 486, 'Busy Here');
    $from->final('INVITE');

    return "$where " . lines($invite);
}

is(passes($mary, $ann), 'web on on', 'with video, past the core');
is(passes($zoe, $ann), 'core on off', 'the caller has none');
is(passes($mary, $zoe), 'core on on', 'the called: her leg has none');

# a later token takes it away, or gives it

sub again {
    my ($video) = @_;

    return $zoe->register(headers => [ Authorization => 'Bearer '
        . $jwt->token('zoe', iat => time() + 10, exp => time() + 4000,
            video => $video) ])->{code};
}

is(again(JSON::PP::true), 200, 'video is given');
is(up($zoe), 'on on, on on', 'from then on');
is(passes($mary, $zoe), 'web on on', 'past the core, too');

# the last tests are its own

undef $t;
