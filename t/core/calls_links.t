#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Calls and long messages to the real core and from it, by each transport.

use warnings;
use strict;

use File::Basename qw(dirname);
use FindBin;
use Test::More;

use lib dirname(__FILE__);
use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/../lib",
    "$FindBin::Bin/../lib";

use Calls;
use IMS::SDP qw/ web_sdp /;
use Test::Nginx qw/ port /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(32);
my $long = join '', map { chr(97 + $_ % 26) } 1 .. 60000;
my ($calls, $mary, $far, $r);

sub message {
    my ($name) = @_;

    $mary->start('MESSAGE', to => Calls::number(), body => $long,
        headers => [ 'Content-Type' => 'text/plain' ]);
    $r = $far->expect('MESSAGE', 8);
    ok($r->{body} eq $long, "$name: a message of 60000 bytes up");
    $far->reply($r, 200, 'OK');
    is($mary->final('MESSAGE')->{code}, 200, "$name: its answer");

    $far->start('MESSAGE', to => $mary->{impu}, body => $long,
        headers => [ 'Content-Type' => 'text/plain' ]);
    $r = $mary->expect('MESSAGE', 8);
    ok($r->{body} eq $long, "$name: one down");
    $mary->reply($r, 200, 'OK');
    is($far->final('MESSAGE')->{code}, 200, "$name: its answer");
}

for my $way (
    ['TCP', 'tcp', { listen_ims => '127.0.0.1:%%PORT_8990%% tcp' }],
    ['TLS', 'tls', { listen_ims => '127.0.0.1:%%PORT_8990%% ssl',
        core => 'ssl_certificate CORE/client.pem;'
            . ' ssl_certificate_key CORE/client.key;'
            . ' ssl_trusted_certificate CORE/ca.pem;'
            . ' ssl_verify on; ssl_name core.ims.operator.example;' }])
{
    my ($name, $transport, $conf) = @$way;

    $calls = Calls->new($t, transport => $transport, conf => $conf,
        core => { TRANSPORT => $transport, EDGE => '127.0.0.1:'
            . port(8990) });
    ($mary, $far) = @$calls{qw/ mary far /};
    message($name);

    my $call = $calls->call_up(headers => [ 'X-Long' => 'x' x 2500 ]);
    is(length $call->{seen}->h('X-Long'), 2500, "$name: a long INVITE up");
    $calls->hang_up('far', $call, "$name, up");

    $call = $calls->call_down(headers => [ 'X-Long' => 'x' x 2500 ]);
    is(length $call->{seen}->h('X-Long'), 2500, "$name: a long INVITE down");
    $calls->hang_up('mary', $call, "$name, down");
    $calls->done();
    $calls->stop();
}

