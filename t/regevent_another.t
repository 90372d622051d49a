#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A socket that registers another browser: the subscription of the former one
# is taken back, and the other one has its own.

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
use IMS::RegEvent;
use IMS::SIP;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(7);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(core => 'reg_event on;',
    grace => '2s'));
$t->run();

my $core = IMS::Core->new()->registrar();
my $reg = IMS::RegEvent->new($core);

sub subs { return $core->seen('SUBSCRIBE') }

sub wait_subs {
    my ($count) = @_;

    return IMS::Loop::wait_for(sub { subs() >= $count }, 2);
}

my $mary = IMS::Browser->open(token => $jwt->token('mary'),
    instance => '1-1-1');
is($mary->register()->{code}, 200, 'registered');
ok(wait_subs(1), 'subscribed');
IMS::Loop::pause(0.1);

$mary->{instance} = '2-2-2';
is($mary->register()->{code}, 200, 'another browser on that socket');
ok(wait_subs(3), 'two more SUBSCRIBEs');

my ($one, @more) = subs();
my ($back) = grep { $_->h('Call-ID') eq $one->h('Call-ID') } @more;
my ($new) = grep { $_->h('Call-ID') ne $one->h('Call-ID') } @more;

is($back ? $back->h('Expires') : undef, 0, 'one takes the former back');
isnt($new ? IMS::SIP::uri_of($new->h('Contact')) : undef,
    IMS::SIP::uri_of($one->h('Contact')), 'the other has a Contact');
cmp_ok($new ? $new->h('Expires') : 0, '>', 0, 'of its own');

$mary->close();
