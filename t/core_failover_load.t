#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# One of two servers goes down under load, by closing its port and by silence,
# and comes back: no request fails that could have gone to the other.

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

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(15);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(workers => 2, t1 => '50ms',
    server_ims => '127.0.0.1:%%PORT_8981_UDP%% fail_timeout=1s',
    core => 'server 127.0.0.1:%%PORT_8982_UDP%% fail_timeout=1s; '
        . 'probe 300ms timeout=300ms fails=1; timeout 300ms;'));

my @core = map { IMS::Core->new(port => port($_, udp => 1)) } 8981, 8982;
my %silent;

for my $n (0, 1) {
    $core[$n]->{on}{$_} = serving($n) for qw/ MESSAGE REGISTER OPTIONS /;
}

$t->run();

my @browsers = map { IMS::Browser->open(token => $jwt->token("user$_")) }
    1 .. 20;

is(registered(@browsers), '20 of 20', 'registered');
ok(scalar $core[$_]->seen('REGISTER'), "some at $_") for 0, 1;

is(load(3), '60 of 60', 'both are up');

# its port is closed

$core[0]->down();
is(load(3), '60 of 60', 'the first is gone');
is(registered(more(4)), '4 of 4', 'and new browsers are registered');
$core[0]->up();
ok(IMS::Loop::wait_for(sub { up(0) }, 5), 'it is back');
is(load(3), '60 of 60', 'the first is back');

# it does not say a word any more

$silent{1} = 1;
is(load(3), '60 of 60', 'the second is silent');
is(registered(more(4)), '4 of 4', 'and new browsers are registered');
ok(!up(1), 'it is down');
delete $silent{1};
ok(IMS::Loop::wait_for(sub { up(1) }, 5), 'it speaks again');
is(load(3), '60 of 60', 'both are up again');

my $before = $core[1]->seen('MESSAGE');
ok(IMS::Loop::wait_for(sub {
    load(1);
    return $core[1]->seen('MESSAGE') > $before;
}, 10), 'and both are used');

is(IMS::Browser::api('GET', path => '/ims/status')->{json}{pools}[0]{bindings},
    28, 'a binding for each');

$_->close() for @browsers;

sub serving {
    my ($n) = @_;

    return sub {
        my ($self, $msg) = @_;

        return if $silent{$n};
        return $self->accept($msg) if $msg->{method} eq 'REGISTER';
        push @{$self->{queue}}, $msg if $msg->{method} eq 'MESSAGE';
        $self->reply($msg, 200, 'OK');
    };
}

sub more {
    my ($count) = @_;

    my @new = map { IMS::Browser->open(
        token => $jwt->token(IMS::SIP::unique('late'))) } 1 .. $count;
    push @browsers, @new;

    return @new;
}

# all at once

sub registered {
    my (@who) = @_;

    $_->emit($_->register_request()->bytes()) for @who;

    return good('REGISTER', @who);
}

# each of the first twenty sends one, all at once, some times

sub load {
    my ($times) = @_;
    my $all = 0;

    for (1 .. $times) {
        $_->start('MESSAGE', body => 'x') for @browsers[0 .. 19];
        $all += good('MESSAGE', @browsers[0 .. 19]) =~ s/ .*//r;
    }

    return "$all of " . 20 * $times;
}

sub good {
    my ($method, @who) = @_;

    my $good = 0;

    for my $web (@who) {
        my $r = $web->final($method, 8);
        $good++ if $r && $r->{code} == 200;
    }

    return "$good of " . @who;
}

sub up {
    my ($n) = @_;

    my $status = IMS::Browser::api('GET', path => '/ims/status')->{json};

    return $status->{cores}[0]{servers}[$n]{up};
}
