#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A browser in the dialog of another, and one that makes too many dialogs.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ call_up call_down hang_up sdp_body /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IMS::SDP qw/ web_sdp /;
use IMS::SIP;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(12);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));

$mary->register();

my $call = call_up($mary, $core);

# all that there is to know of the dialog is known to another user

my $eve = IMS::Browser->open(token => $jwt->token('eve'));

for my $how ('not registered', 'registered') {
    my %of = %{$call->{web}};

    $eve->within(\%of, 'ACK');
    ok($core->none('ACK'), "$how: no ACK");
    $eve->within(\%of, 'ACK', sdp_body(web_sdp()));
    ok($core->none('ACK'), 'not with SDP either');
    is(scalar $ng->seen('answer'), 1, 'not at the helper');
    $eve->within(\%of, 'BYE');
    like($eve->final('BYE')->{code}, qr/^4(03|81)$/, 'no BYE');
    $eve->register();
}

ok($core->none('BYE'), 'nothing at the core');
is(hang_up($mary, $call->{web}, $core), 200, 'the call has gone on');

# a callee that makes an early dialog of each provisional answer

$call = call_down($mary, $core, until => 180);

for my $n (1 .. 200) {
    my $ringing = $call->{seen}->response(180, 'Ringing',
        headers => [ Contact => $mary->contact() ]);
    $ringing->set(To => "<$mary->{impu}>;tag=early$n");
    $mary->emit($ringing->bytes());
}

ok(IMS::Loop::wait_for(sub {
    $t->read_file('error.log') =~ /too many dialogs/
}, 5), 'too many dialogs');

my $status = IMS::Browser::api('GET', path => '/ims/status');

cmp_ok($status->{json}{pools}[0]{dialogs}, '<=', 64, 'a limit');

$mary->close();
$eve->close();
