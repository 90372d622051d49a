#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A core that was down and is back may have lost its registrations: those of the
# portal are renewed, once each and at a pace; one that a browser's REGISTER is
# answered from, too.

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
use Time::HiRes qw/ time /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(16);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(workers => 2, grace => '8s',
    server_ims => '127.0.0.1:%%PORT_8981_UDP%% max_fails=1 fail_timeout=1s',
    core => 'probe 200ms timeout=200ms fails=1; reregister 10; reg_event on;'));
$t->run();

my $core = IMS::Core->new()->registrar();

$core->{on}{SUBSCRIBE} = sub {
    my ($self, $msg) = @_;
    $self->reply($msg, 200, 'OK', headers => [ Contact => $self->contact(),
        Expires => 3600 ]);
};

my %dave = (token => $jwt->token('dave'), instance => 'd-e-f');
my @browsers = map { IMS::Browser->open(token => $jwt->token("user$_")) }
    1 .. 8;
my $dave = IMS::Browser->open(%dave);

$_->register() for @browsers, $dave;
IMS::Loop::wait_for(sub { count('SUBSCRIBE') == 9 });
is(count('SUBSCRIBE'), 9, 'nine browsers with subscriptions');

# without a word of the core nothing is renewed

$core->{all} = [];
IMS::Loop::pause(1.2);
is(count('REGISTER'), 0, 'nothing to renew');

# it forgets everything, and the portal sees that it was away

$dave->drop();
$core->down();
IMS::Loop::wait_for(sub { !up() }) or die "not found down\n";
IMS::Loop::pause(1.1);

$core->{all} = [];
$core->{registered} = {};
$core->up();

my @at;

$core->{on}{REGISTER} = sub {
    push @at, time();
    $_[0]->accept($_[1]);
};

ok(IMS::Loop::wait_for(sub { keys %{$core->{registered}} == 8 }, 8),
    'all that have a socket are registered again');
IMS::Loop::pause(1);
is(count('REGISTER'), 8, 'once each');
ok(!grep({ @{$_->{queue}} } @browsers), 'the browsers hear nothing of it');

# ten in a second, a worker: one of the two has four at least

cmp_ok($at[-1] - $at[0], '>', 0.15, 'at a pace');

my @contacts = map { IMS::SIP::uri_of($_->h('Contact')) }
    grep { $_->{method} && $_->{method} eq 'REGISTER' } @{$core->{all}};
my %unique = map { $_ => 1 } @contacts;
is(scalar keys %unique, 8, 'the same bindings');
ok(IMS::Loop::wait_for(sub { count('SUBSCRIBE') >= 8 }, 3),
    'their subscriptions are refreshed');

# calls in both directions, as before

$browsers[0]->start('MESSAGE', body => 'up');
my $msg = $core->expect('MESSAGE');
is($msg && $msg->{body}, 'up', 'a message up');
$core->reply($msg, 200, 'OK') if $msg;

$core->terminating('MESSAGE', to => $browsers[1]{impu}, body => 'down');
$msg = $browsers[1]->expect('MESSAGE');
is($msg && $msg->{body}, 'down', 'a message down');
$browsers[1]->reply($msg, 200, 'OK') if $msg;

# who had no socket then is registered when it comes back, not from the record

$core->{all} = [];
$dave = IMS::Browser->open(%dave);
is($dave->register()->{code}, 200, 'one that was away comes back');
is(count('REGISTER'), 1, 'the core is told');
is($dave->register()->{code}, 200, 'again');
is(count('REGISTER'), 1, 'from the record now');

$dave->close();
IMS::Loop::pause(0.2);

# a second time within half a minute waits its turn

$core->down();
IMS::Loop::wait_for(sub { !up() }) or die "not found down\n";
$core->{all} = [];
$core->up();
IMS::Loop::wait_for(sub { up() });
IMS::Loop::pause(1.5);
is(scalar(grep { ($_->{method} || '') eq 'REGISTER' && $_->h('Expires') }
    @{$core->{all}}), 0, 'a core that flaps is not flooded');

like($t->read_file('error.log'), qr/"operator" is back, \d browsers/,
    'said in the log');

$_->close() for @browsers;

sub count {
    my ($method) = @_;

    return scalar grep { ($_->{method} || '') eq $method } @{$core->{all}};
}

sub up {
    my $status = IMS::Browser::api('GET', path => '/ims/status')->{json};

    return $status->{cores}[0]{servers}[0]{up};
}
