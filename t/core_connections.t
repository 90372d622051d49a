#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A worker without free connections: what needs one with the core is refused at
# once, nothing is left behind, and all goes on when there are some again.

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
use Test::Nginx qw/ port /;
use Time::HiRes qw/ time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->todo_alerts()->plan(8);

my $jwt = IMS::JWT->new($t);

my $conf = ims_conf(t1 => '500ms',
    listen_ims => '127.0.0.1:%%PORT_8980%% tcp',
    server_ims => '127.0.0.1:%%PORT_8981%% transport=tcp max_fails=0',
    core => 'probe off; timeout 1s;');

$conf =~ s/events \{/events { worker_connections 16;/;
$t->write_file_expand('nginx.conf', $conf);
$t->run();

my $core = IMS::Core->new(transport => 'tcp')->registrar();

$core->{on}{MESSAGE} = sub { $_[0]->reply($_[1], 200, 'OK') };

my $mary = IMS::Browser->open(token => $jwt->token('mary'));

is($mary->register()->{code}, 200, 'registered');

# all connections of the worker are taken by browsers

$core->hang_up();
IMS::Loop::pause(0.2);

my @others;

while (@others < 20) {
    my $user = eval { IMS::Browser->open(token => $jwt->token('u' . @others)) };

    last if !$user || $user->{status} != 101;
    push @others, $user;
}

cmp_ok(scalar @others, '<', 16, 'no more browsers');

my $start = time();
like($mary->ask('MESSAGE', body => 'x')->{code}, qr/^50[03]$/,
    'no connection with the core');
cmp_ok(time() - $start, '<', 3, 'that is said soon');
like($t->read_file('error.log'), qr/16 worker_connections are not enough/,
    'as nginx says it');

# one of the core cannot come in, either

my $own = $core->dial();
IMS::Loop::wait_for(sub { $own->{eof} }, 1);

$_->close() for splice @others;
IMS::Loop::pause(0.3);

is($mary->ask('MESSAGE', body => 'y')->{code}, 200, 'and then there is');

$core->terminating('MESSAGE', to => $mary->{impu}, body => 'down');
my $msg = $mary->expect('MESSAGE');
is($msg->{body}, 'down', 'also from the core');
$mary->reply($msg, 200, 'OK');
is($core->final('MESSAGE')->{code}, 200, 'and back');

$mary->close();
