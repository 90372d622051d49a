#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Three hundred users at once for a hundred identities, by REGISTER with a token
# of their own, over four workers: each identity goes to one of them, the others
# hear 503 and when to ask again (ID-3, ID-4).

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Attack;
use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my ($users, $identities) = (300, 100);

my $t = Test::Nginx->new()->has(qw/ http /)->plan(15);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', attack_conf(
    workers => 4, listen => '127.0.0.1:8080 reuseport',
    http => 'log_format pid "$pid $uri $status";',
    server => 'location = /storm {
            ims_portal acme;
            ims_portal_auth sip;
            access_log %%TESTDIR%%/pid.log pid;
        }'));

my $core = IMS::Core->new()->registrar();

$t->run();

# sockets without a token; who they are they say in SIP

my @web = map { {
    token => $jwt->sign('HS256', $jwt->claims("storm$_")),
    sock => IMS::Browser->open(path => '/storm',
        impu => 'sip:u001@acme.ims.operator.example'),
} } 1 .. $users;

my %pid = map { $_ => 1 } $t->read_file('pid.log') =~ m!^(\d+) /storm 101!mg;
cmp_ok(scalar keys %pid, '>=', 3, 'sockets on several workers');

# all at once: each message is written before the first answer is read

sub storm {
    my ($core, @web) = @_;
    my @headers = map { [ Authorization => "Bearer $_->{token}" ] } @web;

    $web[$_]{sock}->emit($web[$_]{sock}->register_request(
        headers => $headers[$_])->bytes()) for 0 .. $#web;

    my (%code, @codes);

    for my $w (@web) {
        my $r = $w->{sock}->final('REGISTER', 20);
        $w->{answer} = $r;
        $w->{code} = $r ? $r->{code} : 0;
        $code{$w->{code}}++;
    }

    return \%code;
}

sub leased {
    return IMS::Browser::api('GET', path => '/ims/status')
        ->{json}{pools}[0];
}

# nobody knows yet which one he gets: one has asked for his own, the others are
# told that theirs is another

my $code = storm($core, @web);

is($code->{503}, $users - $identities, 'no identity for the others');
is(($code->{200} || 0) + ($code->{403} || 0), $identities,
    'all identities are taken');
is($code->{200}, 1, 'one of them has asked for his own');
is(scalar(grep { $_->{code} == 503
    && !(($_->{answer}->h('Retry-After') || 0) > 0) } @web), 0,
    'each knows when to ask again');
is(leased()->{leased}, $identities, 'leased');

# those who have one

my @in = grep { $_->{code} != 503 } @web;
my @out = grep { $_->{code} == 503 } @web;
my %of;

for my $w (@in) {
    my $r = IMS::Browser::api('GET', token => $w->{token});

    $w->{sock}{impu} = $r->{json}{identity} || 'sip:none@none.example';
    $of{$w->{sock}{impu}}++;
}

is(scalar keys %of, $identities, 'all different');

# and again, with those who have none in between

$_->{sock}{impu} = $in[rand @in]{sock}{impu} for @out;

my @mixed = sort { $a->{token} cmp $b->{token} } @in, @out;

$code = storm($core, @mixed);

is($code->{200}, $identities, 'all of them are registered');
is($code->{503}, $users - $identities, 'nobody else');
is(scalar(grep { $_->{code} != 200 } @in), 0, 'they are those who have one');

my %seen = map { IMS::SIP::uri_of($_->h('To')) => 1 } $core->seen('REGISTER');
is(scalar keys %seen, $identities, 'each identity at the core');

my $pool = leased();
is($pool->{leased}, $identities, 'still leased');
is($pool->{bindings}, $identities, 'a binding each');
cmp_ok($pool->{exhausted}, '>=', 2 * ($users - $identities), 'counted');

# a message for each comes to him who has it

my $right = 0;

for my $w (@in[0 .. 9]) {
    $core->terminating('MESSAGE', to => $w->{sock}{impu},
        body => "for $w->{sock}{impu}");
    my $msg = $w->{sock}->expect('MESSAGE', 5) or next;
    $right++ if $msg->{body} eq "for $w->{sock}{impu}";
    $w->{sock}->reply($msg, 200, 'OK');
    $core->final('MESSAGE', 5);
}

is($right, 10, 'messages come to their users');

$_->{sock}->drop() for @web;
