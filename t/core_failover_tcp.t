#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Servers by TCP, one of them by the SRV records of its name: a refused
# connection sends requests to the other one at once.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::DNS;
use IMS::JWT;
use IMS::Loop;
use Time::HiRes qw/ time /;
use Test::Nginx qw/ port /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(11);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    http => 'resolver 127.0.0.1:%%PORT_8984_UDP%%; resolver_timeout 1s;',
    listen_ims => '127.0.0.1:%%PORT_8980%% tcp', t1 => '500ms',
    server_ims => '127.0.0.1:%%PORT_8981%% transport=tcp max_fails=3',
    core => 'server core.example; probe off; timeout 5s;'));

my $dns = IMS::DNS->new(port => port(8984, udp => 1));

$dns->set('_sip._tcp.core.example',
    SRV => [ [ 1, 1, port(8982), 'a.example' ] ]);
$dns->set('a.example', A => [ '127.0.0.1' ]);

my $one = IMS::Core->new(transport => 'tcp')->registrar();
my $two = IMS::Core->new(transport => 'tcp', port => port(8982))->registrar();

$t->run();

ok(IMS::Loop::wait_for(sub { $t->read_file('error.log')
    =~ /is core.example/ ? 1 : 0 }, 5), 'resolved');
is($dns->asked('_sip._udp.core.example', 'SRV'), 0, 'no UDP, no such SRV');

my ($mary, $bob) = map { IMS::Browser->open(token => $jwt->token($_)) }
    qw/ mary bob /;

is($_->register()->{code}, 200, 'registered') for $mary, $bob;
is(scalar $_->seen('REGISTER'), 1, 'one each') for $one, $two;

# who registered at the first finds it gone

my ($gone) = grep { ($one->seen('REGISTER'))[0]->h('To') =~ /\Q$_->{impu}/ }
    $mary, $bob;

$one->down();
$two->{on}{MESSAGE} = sub { $_[0]->reply($_[1], 200, 'OK') };
IMS::Loop::pause(0.2);

my $start = time();
is($gone->ask('MESSAGE', body => 'x')->{code}, 200, 'MESSAGE answered');
cmp_ok(time() - $start, '<', 0.5 * $IMS::Loop::SLOW, 'at once');
is(scalar $two->seen('MESSAGE'), 1, 'by the other');

like($t->read_file('error.log'),
    qr/server "127.0.0.1:$one->{port}" of .* does not answer/, 'logged');

# and back

$one->up();
$one->{on}{MESSAGE} = sub { $_[0]->reply($_[1], 200, 'OK') };
is($gone->ask('MESSAGE', body => 'y')->{code}, 200, 'answered');

$_->close() for $mary, $bob;
