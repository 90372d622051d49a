#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A reload with connections to and from the core open: the old worker tells the
# core before it goes, and nothing is lost. All of it over IPv6.

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
use IO::Socket::IP;
use Test::Nginx qw/ port /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

plan(skip_all => 'no ::1 here')
    unless IO::Socket::IP->new(Listen => 1, LocalHost => '::1');

my $t = Test::Nginx->new()->has(qw/ http /)->plan(9);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    shutdown => '20s', server => 'ims_portal_drain 200ms;',
    listen_ims => '[::1]:%%PORT_8980%% tcp',
    server_ims => '[::1]:%%PORT_8981%% transport=tcp'));
$t->run();

my $core = IMS::Core->new(transport => 'tcp', addr => '::1')->registrar();
my %mary = (token => $jwt->token('mary'), instance => 'a-b-c');
my $mary = IMS::Browser->open(%mary);

is($mary->register()->{code}, 200, 'registered');

my ($reg) = $core->seen('REGISTER');
my $edge = '[::1]:' . port(8980);
like($reg->h('Via'), qr!^SIP/2\.0/TCP \Q$edge\E;!, 'Via');

$core->terminating('MESSAGE', to => $mary->{impu}, body => 'before');
$mary->reply($mary->expect('MESSAGE'), 200, 'OK');
is($core->final('MESSAGE')->{code}, 200, 'answered');

my $ours = $core->{conns}[0];
my $theirs = $core->{own};

$t->reload();

is($mary->closed(5), 1012, 'told to come back');
$mary = IMS::Browser->open(%mary);
is($mary->register()->{code}, 200, 'registered at the new worker');

ok(IMS::Loop::wait_for(sub { $ours->{eof} && $theirs->{eof} }, 5),
    'the old worker closed its connections');
is($t->read_file('error.log') =~ /open socket/ ? 1 : 0, 0, 'none was left');

$core->terminating('MESSAGE', to => $mary->{impu}, body => 'after');
my $msg = $mary->expect('MESSAGE');
is($msg->{body}, 'after', 'reached at the new one');
$mary->reply($msg, 200, 'OK');
is($core->final('MESSAGE')->{code}, 200, 'answered');

$mary->close();
