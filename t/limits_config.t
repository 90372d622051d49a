#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Mistakes in the limits: nginx -t fails, and says which directive.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Conf;
use IMS::JWT;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

# a line, and what nginx -t must say; first those of http, server, location

my @sip = (
    [ 'ims_portal_limit_sockets any=5;',
        qr/invalid parameter "any=5" in "ims_portal_limit_sockets"/ ],
    [ 'ims_portal_limit_sockets user=many;',
        qr/invalid parameter "user=many" in "ims_portal_limit_sockets"/ ],
    [ 'ims_portal_limit_sockets user=1 user=2;',
        qr/"ims_portal_limit_sockets" directive is duplicate/ ],
    [ 'ims_portal_limit_handshakes pool rate=1r/s;',
        qr/invalid parameter "pool" in "ims_portal_limit_handshakes"/ ],
    [ 'ims_portal_limit_handshakes user burst=5;',
        qr/"ims_portal_limit_handshakes" directive needs "rate"/ ],
    [ 'ims_portal_limit_handshakes user off; '
        . 'ims_portal_limit_handshakes user off;',
        qr/"ims_portal_limit_handshakes" directive is duplicate/ ],
    [ 'ims_portal_limit_sessions any rate=1r/s;',
        qr/invalid parameter "any" in "ims_portal_limit_sessions"/ ],
    [ 'ims_portal_limit_messages rate=5;',
        qr!invalid parameter "rate=5" in "ims_portal_limit_messages"! ],
    [ 'ims_portal_limit_messages rate=r/s;',
        qr!invalid parameter "rate=r/s" in "ims_portal_limit_messages"! ],
    [ 'ims_portal_limit_messages rate=0r/s;',
        qr!invalid parameter "rate=0r/s" in "ims_portal_limit_messages"! ],
    [ 'ims_portal_limit_messages rate=-1r/s;',
        qr!invalid parameter "rate=-1r/s" in "ims_portal_limit_messages"! ],
    [ 'ims_portal_limit_messages rate=1r/m burst=100;',
        qr/"ims_portal_limit_messages" directive has a "burst" of more than/ ],
    [ 'ims_portal_limit_registers on;',
        qr/invalid parameter "on" in "ims_portal_limit_registers"/ ],
    [ 'ims_portal_limit_invites rate=1r/s burst=x;',
        qr/invalid parameter "burst=x" in "ims_portal_limit_invites"/ ],
    [ 'ims_portal_limit_frames rate=1r/s off;',
        qr/invalid parameter "off" in "ims_portal_limit_frames"/ ],
    [ 'ims_portal_limit_requests 0;',
        qr/"ims_portal_limit_requests" must be between 1 and 10000/ ],
    [ 'ims_portal_limit_waiting 10001;',
        qr/"ims_portal_limit_waiting" must be between 1 and 10000/ ],
    [ 'ims_portal_message_timeout 1ms;',
        qr/"ims_portal_message_timeout" must be at least 100ms/ ],
    [ 'ims_portal_send_timeout 1ms;',
        qr/"ims_portal_send_timeout" must be at least 100ms/ ],
    [ 'ims_portal_send_buffer 64k;',
        qr/"ims_portal_send_buffer" must be more than 64k/ ],
);

my @http = (
    [ 'ims_portal_limit_zone 64k;',
        qr/"ims_portal_limit_zone" must be at least 256k/ ],
);

my @pool = (
    [ 'sockets many;', qr/"sockets" directive has an invalid number/ ],
    [ 'sockets 1; sockets 2;', qr/"sockets" directive is duplicate/ ],
    [ 'dialogs -1;', qr/"dialogs" directive has an invalid number/ ],
);

my @core = (
    [ 'max_requests x;', qr/"max_requests" directive has an invalid number/ ],
);

my $t = Test::Nginx->new()->has(qw/ http /)
    ->plan(2 + @sip + @http + @pool + @core);

IMS::JWT->new($t);

sub check {
    my (%part) = @_;

    $t->write_file_expand('case.conf', ims_conf(%part));

    return ims_check($t, 'case.conf');
}

for ([ sip => @sip ], [ http => @http ], [ pool => @pool ],
    [ core => @core ])
{
    my ($part, @cases) = @$_;

    for my $case (@cases) {
        my $said = check($part => $case->[0]);
        my ($emerg) = $said =~ /^(.*\[emerg\].*)$/m;

        like($said =~ /test failed/ ? $emerg : "passed\n$said", $case->[1],
            $case->[0]);
    }
}

# what is right, and what is off

like(check(http => 'ims_portal_limit_zone 256k;',
    pool => 'sockets 10; dialogs 0;', core => 'max_requests 0;',
    server => 'ims_portal_limit_handshakes address rate=600r/m burst=6000;
        ims_portal_limit_handshakes user off;
        ims_portal_limit_messages off;
        ims_portal_limit_sockets address=0 user=0 unverified=0;
        ims_portal_message_timeout 0;',
    sip => 'ims_portal_limit_messages rate=1r/s;
        ims_portal_limit_frames rate=100000r/s burst=100000;'),
    qr/test is successful/, 'good');

$t->write_file_expand('nginx.conf', ims_conf());
$t->run();

like(http_get('/'), qr/ 40[34] /, 'runs');

# a sub holds it: the two tests of its own come now, not too late

undef $t;
