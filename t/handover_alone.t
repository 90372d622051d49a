#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The far end answers and hangs up at once, one worker reads alone: the 200
# waits for the media helper, and the BYE for the 200.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ sdp_body /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::NG;
use IMS::SDP qw/ web_sdp ims_sdp /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(5);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));
$mary->register();

for my $ringing (0, 1) {
    my $sent = $mary->start('INVITE', sdp_body(web_sdp()));
    my $invite = $core->expect('INVITE');

    if ($ringing) {
        $core->reply($invite, 180, 'Ringing',
            headers => [ Contact => $core->contact() ]);
        $mary->expect('180');
    }

    my $answer = $core->reply($invite, 200, 'OK', headers => [
        Contact => $core->contact(), 'Content-Type' => 'application/sdp' ],
        body => ims_sdp());
    $core->within($core->dialog($invite, $answer, 0), 'BYE');

    $mary->expect('BYE');
    my @came = map { $_->{method} || $_->{code} . ' ' . $_->cseq_method() }
        grep { $_->h('Call-ID') eq $sent->h('Call-ID') } @{$mary->{all}};
    is(join(', ', grep { !/^1/ } @came), '200 INVITE, BYE',
        $ringing ? 'after 180' : 'at once');
}

# one of no dialog is refused, if a moment later

my $call = { local => '<sip:far@ims.operator.example>;tag=far',
    remote => "<$mary->{impu}>;tag=none", id => 'nothing', cseq => 1,
    routes => [ $core->{registered}{$mary->{impu}}{path} =~ /(<[^>]+>)/ ],
    target => $core->{registered}{$mary->{impu}}{contact} };

$core->within($call, 'BYE');
is($core->final('BYE')->{code}, 481, 'no dialog');
$core->within($call, 'INFO');
is($core->final('INFO')->{code}, 481, 'nor for others');
ok($mary->none('BYE', 0.1), 'not passed on');

$mary->close();
