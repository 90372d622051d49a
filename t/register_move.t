#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Registrations that change hands: lost twice, another browser on one socket,
# left while the core thinks, the owner killed.  None is left at the core that
# nobody has.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ call_up /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(15);

my $jwt = IMS::JWT->new($t);
my $grace = 4;

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock',
    grace => $grace * $IMS::Loop::SLOW . 's', t1 => '200ms'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();
$t->todo_alerts();

my $core = IMS::Core->new()->registrar();
my %mary = (token => $jwt->token('mary'), instance => '1-2-3');

sub status {
    my $r = IMS::Browser::api('GET', path => '/ims/status');

    return $r->{json}{pools}[0]{$_[0]};
}

sub ended {
    my ($contact, $seconds) = @_;

    return IMS::Loop::wait_for(sub {
        grep { $_->h('Contact') =~ /\Q$contact\E.*;expires=0/ }
            $core->seen('REGISTER')
    }, $seconds);
}

sub contact_of {
    return IMS::SIP::uri_of(($core->seen('REGISTER'))[-1]->h('Contact'));
}

# lost twice: the grace time counts from the second

my $mary = IMS::Browser->open(%mary);
$mary->register();
my $contact = contact_of();

$mary->drop();
IMS::Loop::pause($grace * 0.4);
$mary = IMS::Browser->open(%mary);
is($mary->register()->{code}, 200, 'back');
IMS::Loop::pause($grace * 0.4);
$mary->drop();
ok(!ended($contact, $grace * 0.6), 'not ended by the first loss');
ok(ended($contact, $grace), 'ended by the second');

# another instance on the same socket

$mary = IMS::Browser->open(%mary);
$mary->register();
$contact = contact_of();
@{$core->{all}} = ();

for my $n (1 .. 8) {
    $mary->{instance} = "4-5-$n";
    $mary->{reg}{id} = "another$n";
    my $r = $mary->register();
    IMS::Loop::pause(0.1);
    next if $r->{code} == 200 && $n < 8;
    is($r->{code}, 200, 'as many instances as it likes');
    last;
}

ok(ended($contact, 2), 'the former ones are ended');
is(status('bindings'), 1, 'one is left');
$mary->start('MESSAGE', body => 'x');
ok($core->expect('MESSAGE'), 'and works');
$mary->close();
ok(IMS::Loop::wait_for(sub { !status('bindings') }, 5), 'none is left');

# left while the core thinks about it

delete $core->{on}{REGISTER};
@{$core->{all}} = ();
$core->forget();
$mary = IMS::Browser->open(%mary);
$mary->emit($mary->register_request()->bytes());
my $register = $core->expect('REGISTER');
$mary->close(1001);
ok(IMS::Loop::wait_for(sub { !status('bindings') }, 5), 'left for good');
$core->registrar();
$core->accept($register);
ok(ended(IMS::SIP::uri_of($register->h('Contact')), 3),
    'what the core made of it is taken back');

# 500 to the de-registration of a browser that is back meanwhile

$core->registrar();
$mary = IMS::Browser->open(%mary);
is($mary->register()->{code}, 200, 'registered');
my $stale = 0;
$core->{on}{REGISTER} = sub {
    my ($self, $msg) = @_;

    if ($msg->h('Contact') =~ /expires=0/) {
        $stale++;
        $self->reply($msg, 500, 'Server Internal Error');
        return;
    }

    $self->accept($msg);
};
$mary->close(1001);
IMS::Loop::wait_for(sub { $stale }, 5);
$mary = IMS::Browser->open(%mary);
is($mary->register()->{code}, 200, 'back');
IMS::Loop::pause(2);
is($stale, 1, 'the de-registration is not repeated');
$core->registrar();

# its worker is killed: the next one waits for the browser, and ends it

$contact = contact_of();
call_up($mary, $core);
my $pid = IMS::Browser::api('GET', path => '/ims/status')->{json}{worker}{pid};
@{$core->{all}} = ();
kill 'KILL', $pid;
ok($core->expect('BYE', 3 * $grace), 'BYE for the browser of a dead worker');
ok(ended($contact, 3), 'de-registered');
