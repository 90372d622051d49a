#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The media helper itself, by TCP: calls, with it frozen, killed, and started
# again.

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
use IMS::SDP qw/ web_sdp ims_sdp /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

BAIL_OUT("$IMS::Flow::HELPER is not built") unless -x $IMS::Flow::HELPER;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(17);

my $jwt = IMS::JWT->new($t);
my $helper = start();

$t->write_file_expand('nginx.conf', ims_conf(grace => '60s',
    media => 'tcp:127.0.0.1:28995', media_lost => '2s'));
$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));

$mary->register();

my @calls = map { up() } 1 .. 10;
is(scalar $helper->calls(), 10, 'calls by TCP');
is(scalar(grep { hang_up($mary, $_->{web}, $core) == 200 } @calls), 10,
    'and over');
ok(IMS::Loop::wait_for(sub { $helper->calls() == 0 }, 20), 'nothing is left');

# it is silent, on each connection that is made

up();
kill STOP => $helper->{pid};
ended('silent');
ok(IMS::Loop::wait_for(sub { status()->{media}{up} == 0 }, 30),
    'silent: it is down');
kill CONT => $helper->{pid};
ok(IMS::Loop::wait_for(sub { status()->{media}{up} == 1 }, 30),
    'silent: it is back');
ok(IMS::Loop::wait_for(sub { $helper->calls() == 0 }, 30),
    'silent: it was told of the end');
is(hang_up($mary, up()->{web}, $core), 200, 'silent: a call again');

# it is gone, its port is closed

up();
$helper->stop('KILL');
ended('gone');
$mary->start('INVITE', sdp_body(web_sdp()));
is($mary->final('INVITE', 20)->{code}, 503, 'gone: no calls');
ok($mary->none('BYE', 4), 'gone: for a while');
my $log = $t->read_file('error.log');
my $n = () = $log =~ /media helper "tcp:127\.0\.0\.1:28995" is dead/g;
is($n, 2, 'gone: it is said once, as before');
$n = () = $log =~ /"tcp:127\.0\.0\.1:28995" (?:closed its connection|is lost)/g;
cmp_ok($n, '<=', 8, 'gone: nor does each try have its line');

$helper = start();
ok(IMS::Loop::wait_for(sub { status()->{media}{up} == 1 }, 30),
    'started again: it is back');
is(hang_up($mary, up()->{web}, $core), 200, 'started again: a call');

# a reload, within a call

my $call = up();
$t->reload();
is(hang_up($mary, $call->{web}, $core), 200, 'a call over a reload');
ok(IMS::Loop::wait_for(sub { $helper->calls() == 0 }, 20), 'nothing is left');

$mary->close();
$helper->stop();

###############################################################################

sub start {
    return IMS::Flow->helper($t->testdir() . '/1.sock', web => 28990,
        ports => '28860-28899', options => [ -c => 'tcp:127.0.0.1:28995' ]);
}

sub up {
    return call_up($mary, $core,
        answer => ims_sdp() =~ s/192\.0\.2\.9/127.0.0.1/gr);
}

sub status { return IMS::Browser::api('GET', path => '/ims/status')->{json} }

sub ended {
    my ($name) = @_;

    for my $end ([ $mary => 'browser' ], [ $core => 'core' ]) {
        my $bye = $end->[0]->expect('BYE', 40);
        is($bye && $bye->h('Reason'), 'SIP;cause=503;text="media lost"',
            "$name: BYE to the $end->[1]");
        $end->[0]->reply($bye, 200, 'OK') if $bye;
    }
}
