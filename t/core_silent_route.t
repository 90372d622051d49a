#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The S-CSCF that a Service-Route names falls silent, and nobody has its place:
# a caller hears of it within seconds, not after 64*T1, and the portal registers
# again, because that may find another one (TS 24.229 5.1.1.4.1).

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use Test::Nginx;
use Time::HiRes qw/ time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(6);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(t1 => '100ms',
    core => 'timeout 500ms; allow 127.0.0.0/8; probe off;'));

my $scscf = IMS::Core->new(port => port(8982, udp => 1));
my $core = IMS::Core->new();

$core->{on}{REGISTER} = sub {
    my ($self, $msg) = @_;

    no warnings 'redefine';
    local *IMS::Core::service_route = sub { $scscf->contact() =~
        s/>$/;lr>/r =~ s/far\@/orig@/r };
    $self->accept($msg);
};

$t->run();

my $mary = IMS::Browser->open(token => $jwt->token('mary'));

is($mary->register()->{code}, 200, 'registered');

$mary->start('MESSAGE', body => 'x');
my $msg = $scscf->expect('MESSAGE');
like($msg->h('Route'), qr/orig\@\Q@{[ $scscf->host() ]}\E/, 'by the S-CSCF');
$scscf->reply($msg, 200, 'OK');
$mary->final('MESSAGE');

# it hears, and says nothing

my $n = $core->seen('REGISTER');
my $start = time();

is($mary->ask('INVITE', wait => 10)->{code}, 408, 'INVITE');

my $took = time() - $start;

cmp_ok($took, '>', 0.9, 'not before it has had time');
cmp_ok($took, '<', 4, 'not after 64*T1');
cmp_ok(scalar $core->seen('REGISTER'), '>', $n, 'registered again');

$mary->close();
