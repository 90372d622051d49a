#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# An answer crosses the end of its INVITE: whoever answered gets an ACK and a
# BYE, and nothing of the call is left.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ call_up call_down sdp_body /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IMS::SDP qw/ ims_sdp web_sdp /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(19);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock', grace => 4 * $IMS::Loop::SLOW . 's'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my %mary = (token => $jwt->token('mary'), instance => '1-2-3');
my $mary = IMS::Browser->open(%mary);

$mary->register();

sub dialogs {
    my $r = IMS::Browser::api('GET', path => '/ims/status');

    return $r->{json}{pools}[0]{dialogs};
}

# the far end answers all the same

sub answered {
    my ($call, $title) = @_;

    my $ok = $core->reply($call->{seen}, 200, 'OK',
        headers => [ Contact => $core->contact(),
            'Content-Type' => 'application/sdp' ], body => ims_sdp());
    my $ack = $core->expect('ACK');

    is($ack->h('To'), $ok->h('To'), "$title: ACK");
    is($ack->{uri}, IMS::SIP::uri_of($core->contact()), 'to the target');

    my $bye = $core->expect('BYE');

    is($bye->tag('To'), $ok->tag('To'), 'BYE');
    $core->reply($bye, 200, 'OK');
}

# page closed while ringing, and answered before the CANCEL came there

my $call = call_up($mary, $core, until => 180);

$mary->close(1001);
$core->reply($core->expect('CANCEL', 3), 200, 'OK');
answered($call, 'page closed');

# the socket is lost

$mary = IMS::Browser->open(%mary);
$mary->register();
$call = call_up($mary, $core, until => 180);
$mary->drop();
$core->reply($core->expect('CANCEL', 3), 200, 'OK');
answered($call, 'socket lost');
is(dialogs(), 0, 'nothing is left of it');

# refused by the portal after it rang: the early dialog is forgotten

$mary = IMS::Browser->open(%mary);
$mary->register();
is($mary->final('INVITE')->{code}, 487, 'the caller hears of it when back');
$call = call_up($mary, $core, until => 180);
is(dialogs(), 1, 'ringing');
$ng->mode('error', 'Unsupported media');
$core->reply($call->{seen}, 183, 'Session Progress',
    headers => [ Contact => $core->contact(),
        'Content-Type' => 'application/sdp' ], body => ims_sdp());
is($mary->final('INVITE')->{code}, 488, 'early media refused');
$mary->same_hop($call->{sent}, 'ACK');
$core->reply($core->expect('CANCEL', 3), 200, 'OK');
answered($call, 'refused by the helper');
is(dialogs(), 0, 'nothing is left of it');

# the browser's own answer is refused by the helper

$ng->mode('answer');
$call = call_down($mary, $core, until => 180);
$ng->mode('error', 'Unsupported media');
$mary->reply($call->{seen}, 200, 'OK',
    headers => [ Contact => $mary->contact(),
        'Content-Type' => 'application/sdp' ],
    body => web_sdp(setup => 'active'));
is($core->final('INVITE')->{code}, 488, 'refused towards the core');
$core->same_hop($call->{sent}, 'ACK');
ok($mary->expect('ACK'), 'the browser gets an ACK');

my $bye = $mary->expect('BYE');

is($bye->tag('From'), $call->{seen}->tag('From'), 'and a BYE');
is(IMS::SIP::uri_of($bye->h('Via') ? "<$bye->{uri}>" : ''),
    IMS::SIP::uri_of($mary->contact()), 'to its contact');
$mary->reply($bye, 200, 'OK');
is(dialogs(), 0, 'nothing is left of it');

$mary->close();
