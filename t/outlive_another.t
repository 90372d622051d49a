#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A socket that registers another browser, while what the former one asked for
# is under way: that one comes back on a socket of its own, repeats it, and
# leaves before the answer comes.

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
use IMS::Outlive qw/ vanish /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(7);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(grace => '4s'));

$t->run();

my $core = IMS::Core->new()->registrar();
my %mary = (token => $jwt->token('mary'), host => 'mary.invalid');
my $first = IMS::Browser->open(%mary, instance => '1-1-1');

is($first->register()->{code}, 200, 'registered');

my $sent = $first->start('MESSAGE', body => 'x');
my $seen = $core->expect('MESSAGE');
ok($seen, 'a request is under way');

# the core is slow to let the former browser go

$core->{on}{REGISTER} = sub {
    my ($self, $msg) = @_;

    return $self->accept($msg) if $msg->h('Contact') !~ /;expires=0/;
    push @{$self->{queue}}, $msg;
};

$first->{instance} = '2-2-2';
is($first->register()->{code}, 200, 'another browser on that socket');
ok($core->expect('REGISTER'), 'the first one is let go');

my $next = IMS::Browser->open(%mary, instance => '1-1-1');
is($next->register()->{code}, 200, 'and is back on a socket of its own');

$next->emit($sent->bytes());
IMS::Loop::pause(0.2);
vanish($t, $next);

$core->reply($seen, 200, 'OK');
is($first->final('MESSAGE')->{code}, 200, 'answered to the socket that asked');
is($first->register()->{code}, 200, 'which is well');

$first->close();
