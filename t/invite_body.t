#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A body that may have SDP inside where the media helper does not see it is
# refused, not passed by; and a refusal repeats itself with the same To tag
# (RFC 3261 8.2.7).

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
use IMS::NG;
use IMS::SDP qw/ ims_sdp web_sdp /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(11);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));

$mary->register();

my %bodies = (
    parts => [ 'Content-Type' => 'multipart/mixed;boundary=x' ],
    compressed => [ 'Content-Type' => 'application/sdp',
        'Content-Encoding' => 'gzip' ],
    alike => [ 'Content-Type' => 'application/sdpfrag' ],
);

for my $name (sort keys %bodies) {
    $mary->start('INVITE', headers => $bodies{$name}, body => web_sdp());
    my $r = $mary->final('INVITE');

    is($r->{code} . ' ' . ($r->h('Accept') || ''), '415 application/sdp',
        "$name from the browser");

    $core->terminating('INVITE', to => $mary->{impu},
        headers => $bodies{$name}, body => ims_sdp());
    is($core->final('INVITE')->{code}, 415, "$name from the core");
}

is(scalar @{$ng->{log}}, 0, 'helper not asked');

# parameters and white space are part of no type

$mary->start('INVITE', headers => [
    'Content-Type' => 'application/sdp ;charset=utf-8' ], body => web_sdp());

my $invite = $core->expect('INVITE');

like($invite->{body}, qr/^m=audio/m, 'parameter accepted');
$core->reply($invite, 486, 'Busy Here');
$mary->final('INVITE');

# the same refusal twice

my $lost = $core->terminating('MESSAGE', to => $mary->{impu}, body => 'x',
    uri => 'sip:nobody@127.0.0.1', route => '');
my $tag = $core->final('MESSAGE')->tag('To');
my $again = $core->{again} || 0;

$core->again($lost);
IMS::Loop::wait_for(sub { ($core->{again} || 0) > $again }, 3);

ok($tag, 'refused');
is($core->{again}, $again + 1, 'a repetition gets the very same answer');

$core->terminating('MESSAGE', to => $mary->{impu}, body => 'x',
    uri => 'sip:nobody@127.0.0.1', route => '');
isnt($core->final('MESSAGE')->tag('To'), $tag, 'another for another');

$mary->close();
