#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Servers by name: SRV with priorities and weights, then A and AAAA; the TTL,
# failures of DNS, and names in routes.

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
use Test::Nginx qw/ port /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(26);

my $jwt = IMS::JWT->new($t);
my ($p1, $p2, $p3) = map { port($_, udp => 1) } 8981, 8982, 8983;

$t->write_file_expand('nginx.conf', ims_conf(
    http => 'resolver 127.0.0.1:%%PORT_8984_UDP%%; resolver_timeout 1s;',
    server_ims => 'core.example fail_timeout=1s',
    core => 'probe off; timeout 300ms; allow 127.0.0.2;'));

my $dns = IMS::DNS->new(port => port(8984, udp => 1));

$dns->set('_sip._udp.core.example', SRV => [ [ 10, 30, $p1, 'a.example' ],
    [ 10, 10, $p2, 'b.example' ], [ 20, 10, $p3, 'c.example' ] ], ttl => 2);
$dns->set($_, A => [ '127.0.0.1' ], ttl => 2)
    for qw/ a.example b.example c.example /;

$t->run();

my $one = IMS::Core->new(port => $p1)->registrar();
my $two = IMS::Core->new(port => $p2)->registrar();
my $three = IMS::Core->new(port => $p3)->registrar();

my $logged = sub {
    my ($pattern, $n) = @_;

    return IMS::Loop::wait_for(sub {
        my @all = $t->read_file('error.log') =~ /$pattern/g;
        return @all >= ($n || 1);
    }, 5);
};

# the first answers come from DNS, in the background

my $early = IMS::Browser->open(token => $jwt->token('early'));
$early->emit($early->register_request()->bytes());

ok($logged->(qr/server "127.0.0.1:$p3" of .* is core.example/), 'resolved');

my $r = $early->final('REGISTER');
like($r->{code}, qr/^(200|503)$/, 'answered at once: ' . $r->{code});
ok($r->{code} == 200 || $r->h('Retry-After'), 'try again soon');

my $users = 0;

sub register_some {
    my ($n) = @_;

    my @before = map { scalar $_->seen('REGISTER') } $one, $two, $three;

    for (1 .. $n) {
        my $user = IMS::Browser->open(token => $jwt->token('user'
            . $users++));
        $user->register();
        $user->drop();
    }

    my @after = map { scalar grep { $_->h('Contact') !~ /expires=0/ }
        $_->seen('REGISTER') } $one, $two, $three;

    return map { $after[$_] - $before[$_] } 0 .. 2;
}

$_->{all} = [] for $one, $two, $three;

is(join(' ', register_some(8)), '6 2 0', 'dealt out by weight');

# the first priority is gone

$_->{on} = {} for $one, $two;
register_some(2);
$_->{all} = [] for $one, $two, $three;
is(join(' ', register_some(3)), '0 0 3', 'the next priority');

# new records after the TTL

$_->registrar() for $one, $two;
$dns->set('_sip._udp.core.example', SRV => [ [ 1, 0, $p2, 'b.example' ] ],
    ttl => 1);
ok($logged->(qr/server "127.0.0.1:$p1" of .* is core.example no more/),
    'other records');
IMS::Loop::pause(1);
$_->{all} = [] for $one, $two, $three;
is(join(' ', register_some(3)), '0 3 0', 'are used');

# DNS fails: what is known stays

$dns->set('_sip._udp.core.example', code => 2);
ok($logged->(qr/"core.example" of .* could not be resolved/), 'SERVFAIL');
$_->{all} = [] for $one, $two, $three;
is(join(' ', register_some(2)), '0 2 0', 'the old address');
IMS::Loop::pause(2);
is(scalar(() = $t->read_file('error.log') =~ /could not be resolved/g), 1,
    'said once');

# no SRV any more, but A: the default port is nobody's here

$dns->set('_sip._udp.core.example', SRV => [ [ 1, 0, $p1, 'a.example' ] ],
    ttl => 60);
ok($logged->(qr/"core.example" of .* is resolved again/), 'again');
ok($logged->(qr/server "127.0.0.1:$p1" of .* is core.example\n/, 2), 'back');

# names in routes: a route that is not known yet is asked for beforehand

IMS::Loop::pause(0.3);
$_->{all} = [] for $one, $two, $three;

$dns->set('scscf.example', A => [ '127.0.0.1' ]);
{
    no warnings 'redefine';
    *IMS::Core::service_route = sub { "<sip:orig\@scscf.example:$p3;lr>" };
}

my $mary = IMS::Browser->open(token => $jwt->token('mary'));
is($mary->register()->{code}, 200, 'registered');
ok(IMS::Loop::wait_for(sub { $dns->asked('scscf.example', 'A') }, 3),
    'the Service-Route is looked up');
IMS::Loop::pause(0.2);

$mary->start('MESSAGE', body => 'x');
my $msg = $three->expect('MESSAGE');
is($msg->h('Route'), "<sip:orig\@scscf.example:$p3;lr>", 'sent there');
$three->reply($msg, 200, 'OK');
is($mary->final('MESSAGE')->{code}, 200, 'answered');
is($dns->asked('scscf.example', 'A'), 1, 'and asked for once');

# an address that is not allowed is not used

$dns->set('evil.example', A => [ '127.0.0.9' ]);
{
    no warnings 'redefine';
    *IMS::Core::service_route = sub { '<sip:evil.example:5060;lr>' };
}

my $eve = IMS::Browser->open(token => $jwt->token('eve'));
$eve->register();
ok(IMS::Loop::wait_for(sub { $dns->asked('evil.example', 'A') }, 3),
    'a stranger is looked up');
IMS::Loop::pause(0.2);
$eve->start('MESSAGE', body => 'x');
$msg = $one->expect('MESSAGE');
is($msg->h('Route'), '<sip:evil.example:5060;lr>', 'by a server');
$one->reply($msg, 200, 'OK');

# two addresses of a name: one is silent

$dns->set('pair.example', A => [ '127.0.0.1', '127.0.0.2' ]);
my $four = IMS::Core->new(port => $p3, addr => '127.0.0.2');
{
    no warnings 'redefine';
    *IMS::Core::service_route = sub { "<sip:pair.example:$p3;lr>" };
}

my $bob = IMS::Browser->open(token => $jwt->token('bob'));
$bob->register();
IMS::Loop::pause(0.3);

$three->down();
$three->up();
$_->forget() for $three, $four;
$_->{on} = {} for $three, $four;
$three->{on}{MESSAGE} = sub { $_[0]{got}++ };
$four->{on}{MESSAGE} = sub { $_[0]{got}++; $_[0]->reply($_[1], 200, 'OK') };

is($bob->ask('MESSAGE', body => $_)->{code}, 200, "message $_") for 1 .. 4;
is($four->{got}, 4, 'by the other address');
cmp_ok($three->{got} || 0, '<=', 1, 'the silent one was left');

unlike($t->read_file('error.log'), qr/\[crit\]|\[emerg\]/, 'no surprise');

$_->close() for $early, $mary, $eve, $bob;
