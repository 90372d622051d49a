#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The zone of a pool is full of dialogs, then of bindings.

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
use IMS::Loop;
use IMS::NG;
use IMS::SDP qw/ ims_sdp web_sdp /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(12);

my $jwt = IMS::JWT->new($t);

my $conf = ims_conf(identity => 'sip:u[001-008]@acme.ims.operator.example',
    pool => 'dialogs 0; devices 10;', media => 'unix:%%TESTDIR%%/ng.sock');

$conf =~ s/zone=acme:1m/zone=acme:64k/;
$t->write_file_expand('nginx.conf', $conf);

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();

sub full {
    return IMS::Browser::api('GET', path => '/ims/status')
        ->{json}{limits}{pool_zone};
}

# calls until there is no room for another one

sub call {
    my ($web) = @_;

    $web->start('INVITE', sdp_body(web_sdp()));
    my $q = $core->expect('INVITE') or return;
    $core->reply($q, 200, 'OK', headers => [ Contact => $core->contact(),
        'Content-Type' => 'application/sdp' ], body => ims_sdp());

    return $web->final('INVITE')->{code};
}

my @web = map { IMS::Browser->open(token => $jwt->token("user$_")) } 1 .. 3;

$_->register() for @web;

my ($n, $code) = (0, 200);

$code = call($web[$n++ % 3]) while $code == 200 && $n < 100;

is($code, 500, 'a call too many');
cmp_ok($n, '>', 15, "after $n");
ok($core->expect('BYE'), 'the far end gets BYE');
is(full(), 1, 'counted');
call($web[0]);
is(full(), 2, 'again');
is(scalar(() = $t->read_file('error.log') =~ /no room for a dialog/g), 1,
    'said once');

ok($_->is_open(), 'open') for $web[0];
is($web[0]->register()->{code}, 200, 'and registered');

# they end, and there is room

$_->close() for @web;
$core->{on}{BYE} = sub { $_[0]->reply($_[1], 200, 'OK') };
IMS::Loop::pause(1);
@web = (IMS::Browser->open(token => $jwt->token('user1')));
$web[0]->register();
is(call($web[0]), 200, 'room again');

# browsers until there is no room

my %code;

for my $user (1 .. 8) {
    last if $code{503};

    for (1 .. 10) {
        push @web, IMS::Browser->open(token => $jwt->token("user$user"));
        $code{$web[-1]->register()->{code}}++;
        last if $code{503};
    }
}

cmp_ok($code{200}, '>', 10, 'browsers');
is($code{503}, 1, 'one too many');
cmp_ok(full(), '>', 2, 'counted');
