#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A guest originates only: what would begin something with him gets 480.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ call_up hang_up sdp_body /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::NG;
use IMS::SDP qw/ ims_sdp web_sdp /;
use JSON::PP;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(13);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock',
    pool => 'local_calls on; guests;',
    server => 'ims_portal_claim guest guest;'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();

my ($zoe, $mary) = map {
    IMS::Browser->open(token => $jwt->token($_->[0], guest => $_->[1]))
} [ 'zoe', JSON::PP::true ], [ 'mary', JSON::PP::false ];

is($_->register()->{code}, 200, 'registered') for $zoe, $mary;

# from the guest

my $call = call_up($zoe, $core);

$core->within($call->{core}, 'INFO');
is($zoe->expect('INFO')->{method}, 'INFO', 'within the call');
$zoe->reply($_, 200, 'OK') for grep { $_->{method} eq 'INFO' }
    $zoe->seen('INFO');
is($core->final('INFO')->{code}, 200, 'and back');
is(hang_up($core, $call->{core}, $zoe), 200, 'the call ends');

# to the guest

sub to {
    my ($web, $method) = @_;

    $core->terminating($method, to => $web->{impu},
        $method eq 'INVITE' ? (body => ims_sdp(), headers => [
            'Content-Type' => 'application/sdp' ]) : (body => 'hi'));

    my $r = $core->final($method, 1);

    return $r ? "$r->{code} " . ($r->h('Warning') || '') : 'rings';
}

is(to($zoe, $_), '480 399 portal "a guest is not called"', $_)
    for qw/ INVITE MESSAGE /;
is($zoe->none(0.2), 1, 'she hears nothing');
is(to($mary, 'MESSAGE'), 'rings', 'mary is no guest');
$mary->reply($mary->expect('MESSAGE'), 200, 'OK');

# from another user, past the core

$mary->start('INVITE', to => $zoe->{impu}, sdp_body(web_sdp()));
is($mary->final('INVITE')->{code}, 480, 'a local call to her');

$zoe->start('INVITE', to => $mary->{impu}, sdp_body(web_sdp()));
my $seen = $mary->expect('INVITE');
ok($seen, 'a local call of hers');
$mary->reply($seen, 486, 'Busy Here');
is($zoe->final('INVITE')->{code}, 486, 'is answered');

# what is neither yes nor no

is(IMS::Browser::api('POST', token => $jwt->token('joe', guest => 'perhaps'))
    ->{json}{detail}, 'token has a claim that cannot be read', 'perhaps');

# the last tests are its own

undef $t;
