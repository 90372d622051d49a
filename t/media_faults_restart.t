#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A media helper that was restarted and answers at once knows no call: those it
# had end with a Reason, later ones do not.  Another one that was only out of
# reach for a moment still knows them, and they go on.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Call qw/ call_up call_down hang_up /;
use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IMS::SDP qw/ web_sdp /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(14);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(workers => 2, grace => '5s',
    media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));
my $bob = IMS::Browser->open(token => $jwt->token('bob'));

$_->register() for $mary, $bob;

# its connection broke, that is all

my $up = call_up($mary, $core);

$ng->{strict} = 1;
$ng->down()->up();
ok($ng->wait_for('query', 1), 'the helper is asked');
ok($mary->none('BYE', 0.5), 'it knows the call');
is(hang_up($mary, $up->{web}, $core), 200, 'which goes on');

# restarted

$up = call_up($mary, $core);
my $down = call_down($bob, $core);

$ng->restart();

for my $end ([ $mary => 'browser' ], [ $bob => 'other browser' ],
    [ $core => 'core' ], [ $core => 'core again' ])
{
    my $bye = $end->[0]->expect('BYE', 6);
    is($bye && $bye->h('Reason'), 'SIP;cause=503;text="media lost"',
        "BYE to the $end->[1]");
    $end->[0]->reply($bye, 200, 'OK') if $bye;
}

# the next call is the new one's, and is asked about and left alone

$up = call_up($mary, $core);
ok($up->{web}, 'the next call');
ok($mary->none('BYE', 1), 'is not ended');

# one that cannot be asked is believed

$ng->mode('error', 'Unrecognized command');
$ng->down()->up();
my $n = $ng->seen('query');
ok(IMS::Loop::wait_for(sub { $ng->seen('query') > $n }), 'asked');
ok($mary->none('BYE', 0.5), 'an answer that says nothing ends no call');
$ng->mode('answer');
is(hang_up($core, $up->{core}, $mary), 200, 'hung up');

is(dialogs(), 0, 'no record is left');
my %deletes;
$deletes{$_->{'call-id'}}++ for $ng->seen('delete');
is(join(' ', grep { $_ > 1 } values %deletes), '', 'each freed once');

$_->close() for $mary, $bob;

sub dialogs {
    return IMS::Browser::api('GET', path => '/ims/status')
        ->{json}{pools}[0]{dialogs};
}
