#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A far end that counts in leaps: what seems to come before its turn waits, but
# it does not take the places of other calls.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ call_up hang_up /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $leaps = 300;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(5);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(workers => 2,
    media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));
$mary->register();

my ($noisy, $quiet) = map { call_up($mary, $core) } 1, 2;
my (@seen, @bytes, %codes);

$mary->{on}{INFO} = sub {
    my ($web, $msg) = @_;

    push @seen, $msg->cseq() if $msg->h('Call-ID') eq $noisy->{web}{id};
    $web->reply($msg, 200, 'OK');
};

# the first request of the quiet one has to wait, too

{
    no warnings 'redefine';
    local *IMS::Core::emit = sub { push @bytes, [ @_[1, 2] ] };

    for (1 .. $leaps) {
        $noisy->{core}{cseq} += 1000;
        $core->within($noisy->{core}, 'INFO');
    }

    $core->within($quiet->{core}, 'INFO');
}

# as fast as a socket takes them

for my $n (0 .. $#bytes) {
    $core->emit(@{$bytes[$n]});
    select undef, undef, undef, 0.003 if $n % 50 == 49;
}

IMS::Loop::wait_for(sub {
    for my $msg (splice @{$core->{queue}}) {
        my $who = $msg->h('Call-ID') eq $quiet->{core}{id};
        $codes{$who ? 'quiet' : 'noisy'}{$msg->{code}}++;
    }

    return $codes{quiet};
}, 3);

is(join(' ', %{$codes{quiet} || {}}), '200 1', 'the quiet one passes');
cmp_ok($codes{noisy}{503} || 0, '>', 0, 'of the noisy one not all may wait');
IMS::Loop::wait_for(sub { @seen >= 64 }, 2);

my $turned = grep { $seen[$_] < $seen[$_ - 1] } 1 .. 63;

is($turned, 0, 'but some, in order');

$core->forget();
$mary->forget();
is(join(' ', map { hang_up($core, $_->{core}, $mary) } $noisy, $quiet),
    '200 200', 'both hang up');
ok($ng->wait_for('delete', 1), 'media freed');

$mary->close();
