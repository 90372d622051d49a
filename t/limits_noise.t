#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Noisy clients: floods of frames, messages that are too long, and browsers that
# do not read.

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
use IMS::WebSocket;
use IO::Select;
use Test::Nginx qw/ port /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(16);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    listen => '127.0.0.1:8080 sndbuf=32k',
    server => '
        location = /frames {
            ims_portal acme;
            ims_portal_limit_frames rate=10r/s burst=100;
        }

        location = /small {
            ims_portal acme;
            ims_portal_message_size 2k;
        }

        location = /unread {
            ims_portal acme;
            ims_portal_send_buffer 70k;
            ims_portal_ping 20s;
            ims_portal_limit_messages off;
            ims_portal_limit_frames off;
        }

        location = /stuck {
            ims_portal acme;
            ims_portal_send_timeout 500ms;
            ims_portal_send_buffer 20m;
            ims_portal_ping 20s;
            ims_portal_limit_messages off;
            ims_portal_limit_frames off;
        }'));

$t->run();

my $core = IMS::Core->new()->registrar();
my $ws;
my $token = $jwt->token('mary');

sub open_ws {
    my ($path) = @_;

    return IMS::WebSocket->connect(port => port(8080), path => $path,
        cookie => "ims_session=$token");
}

sub status { return IMS::Browser::api('GET', path => '/ims/status')->{json} }
sub limits { return status()->{limits} }

my $mary = IMS::Browser->open(token => $token);

is($mary->register()->{code}, 200, 'somebody else');

# frames: pings, empty ones, fragments

for my $flood (
    [ 'pings', sub { $_[0]->frame(9, 'p') } ],
    [ 'pongs', sub { $_[0]->frame(10, '') } ],
    [ 'keep-alives', sub { $_[0]->frame(1, "\r\n\r\n") } ],
    [ 'empty messages', sub { $_[0]->frame(1, '') } ],
    [ 'empty fragments', sub { $_[0]->frame($_[1] ? 0 : 1, '', fin => 0) } ])
{
    my ($title, $send) = @$flood;

    $ws = open_ws('/frames');
    $send->($ws, $_) for 0 .. 200;
    is($ws->closed(), 1008, "a flood of $title");
}

is(limits()->{frames}, 5, 'counted');

# many small fragments that are one message

my $bytes = $mary->register_request(headers => [ 'X-Long' => 'x' x 1500 ])
    ->bytes();
my @part = $bytes =~ /(.{1,2})/gs;

$mary->frame(1, shift @part, fin => 0);
my $last = pop @part;
$mary->frame(0, $_, fin => 0) for @part;
$mary->frame(0, $last);
is($mary->final('REGISTER')->{code}, 200, 'a message in 1000 fragments');

# size

$ws = open_ws('/small');
$ws->frame(1, 'x' x 2049);
is($ws->closed(), 1009, 'a frame that is too long');
$ws = open_ws('/small');
$ws->frame(1, 'x' x 1500, fin => 0);
$ws->frame(0, 'x' x 1500);
is($ws->closed(), 1009, 'a message that is too long');
is(limits()->{message_size}, 2, 'counted');

# a browser that reads nothing: what waits for it has an end, in size and time

sub unread {
    my ($path, $counter, $kilobytes) = @_;
    my $ws = open_ws($path);

    IMS::Loop::del($ws);

    # pongs that nobody reads; the sockets' own buffers are filled first

    my $pings = IMS::WebSocket::frame_bytes(9, 'x' x 125)
        x ($kilobytes * 1024 / 131);

    while (length $pings) {
        local $SIG{PIPE} = 'IGNORE';

        last unless IO::Select->new($ws->{sock})->can_write(2);
        my $n = $ws->{sock}->syswrite($pings, 65536) or last;
        substr $pings, 0, $n, '';
    }

    return IMS::Loop::wait_for(sub { limits()->{$counter} }, 4);
}

is(unread('/unread', 'send_buffer', 8000), 1, 'a slow reader has a bounded queue');
like($t->read_file('error.log'),
    qr/\[warn\].*user "mary" of pool "acme" is at a limit/, 'said');

is(unread('/stuck', 'send_timeout', 6000), 1, 'and it is cut off after a time');
is($mary->register()->{code}, 200, 'others are served');
is($core->seen('REGISTER'), 1, 'from the record');
