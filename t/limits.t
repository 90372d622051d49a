#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Limits: over them a browser gets an answer or a close code, never a dead
# worker.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Call qw/ sdp_body /;
use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IMS::SDP qw/ web_sdp /;
use IMS::WebSocket;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(15);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    pool => 'devices 2;', media => 'unix:%%TESTDIR%%/ng.sock',
    grace => $IMS::Loop::SLOW . 's',
    sip => 'ims_portal_message_size 16k;'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $token = $jwt->token('mary');

# devices of one user share the identity, up to a number

my @mary = map { IMS::Browser->open(token => $token) } 1 .. 2;

is($mary[0]{impu}, $mary[1]{impu}, 'one identity');
is($mary[0]->register()->{code}, 200, 'device');

my $first = $core->{registered}{$mary[0]{impu}};

is($mary[1]->register()->{code}, 200, 'another device');

my @contact = map { IMS::SIP::uri_of($_->h('Contact')) }
    $core->seen('REGISTER');
isnt($contact[0], $contact[1], 'a Contact each');

my $third = eval { IMS::Browser->open(token => $token) };
my $refused = !$third ? 'session API' : $third->{status} != 101
    ? $third->{status} : $third->register()->{code};

like($refused, qr/^(403|429|503|session API)$/, 'third device refused');

# with one gone there is room

$mary[1]->register(expires => 0);
$mary[1]->close();
$third->close() if $third;
IMS::Loop::pause(1.5);
$third = IMS::Browser->open(token => $token);
is($third->register()->{code}, 200, 'room again');
$third->close();

# size: a message that just fits, one that does not

my $mary = $mary[0];
my $room = 16384 - 800;

$mary->start('MESSAGE', body => 'x' x $room);
my $r = $core->expect('MESSAGE', 3);
is($r && length $r->{body}, $room, 'big message');
$core->reply($r, 200, 'OK') if $r;
$mary->final('MESSAGE');

$core->terminating('MESSAGE', to => $mary->{impu}, body => 'y' x 5000,
    uri => $first->{contact}, route => $first->{path});
$r = $mary->expect('MESSAGE', 3);
is($r && length $r->{body}, 5000, 'big message from the core');
$mary->reply($r, 200, 'OK') if $r;
$core->final('MESSAGE');

# many small messages at once

my $want = 100;

for my $n (1 .. $want) {
    $mary->start('OPTIONS', headers => [ 'X-Number' => $n ]);
}

my %got;

while (my $q = $core->expect('OPTIONS', 1)) {
    $got{$q->h('X-Number')}++;
    $core->reply($q, 200, 'OK');
}

my $answers = 0;
my %code;

while (my $q = $mary->final('OPTIONS', 1)) {
    $answers++;
    $code{$q->{code}}++;
}

is($answers, $want, 'each of many requests answered');
is(join(',', grep { !/^(200|503)$/ } sort keys %code), '', 'by 200 or 503');
is(scalar(grep { $_ > 1 } values %got), 0, 'none twice at the core');

# one after the other: what was answered does not count

$core->{on}{MESSAGE} = sub { $_[0]->reply($_[1], 200, 'OK') };
is(scalar(grep { $mary->ask('MESSAGE', body => 'x')->{code} == 200 }
    1 .. 150), 150, 'as many as she likes, one by one');
delete $core->{on}{MESSAGE};

# many header fields, many calls

$r = $mary->ask('OPTIONS', max_forwards => 0,
    headers => [ map { ("X-$_" => 'v') } 1 .. 600 ]);
like($r && $r->{code}, qr/^(400|483|513)$/, 'many header fields');

$mary->start('INVITE', sdp_body(web_sdp())) for 1 .. 20;
my %answer;

while (my $q = $core->expect('INVITE', 1)) {
    $core->reply($q, 486, 'Busy Here');
}

while (my $q = $mary->final('INVITE', 1)) {
    $answer{$q->{code}}++;
}

my $sum = 0;
$sum += $_ for values %answer;
is($sum, 20, 'each of many calls answered');

ok($mary->is_open(), 'still open');
$mary->close();
