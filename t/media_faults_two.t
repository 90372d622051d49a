#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Two media helpers: a new call goes to the other one when the first is full,
# silent or gone; a call in progress stays with its own when a reload lists them
# in another order, or not at all.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Call qw/ call_up call_down hang_up sdp_body /;
use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IMS::SDP qw/ web_sdp /;
use Time::HiRes qw/ time /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(41);

my $jwt = IMS::JWT->new($t);
my $dir = $t->testdir();
my @ng = map { IMS::NG->new("$dir/$_.sock") } 'a', 'b';

sub conf {
    my (@names) = @_;

    $t->write_file_expand('nginx.conf', ims_conf(shutdown => '100ms',
        grace => '3s', server => 'ims_portal_drain 100ms;',
        media => join(' ', map { "unix:%%TESTDIR%%/$_.sock" } @names),
        http => 'ims_portal_media_timeout 1500ms;'));
}

conf(qw/ a b /);
$t->run();

my $core = IMS::Core->new()->registrar();
my %mary = (token => $jwt->token('mary'), instance => 'a-b-c');
my $mary = IMS::Browser->open(%mary);

$mary->register();

# a Call-ID whose place is this helper: found by asking

sub place {
    my ($n) = @_;

    for (1 .. 40) {
        my $id = IMS::SIP::unique('place');
        $mary->start('INVITE', sdp_body(web_sdp()), call_id => $id);
        my $invite = $core->expect('INVITE', 4) or next;
        $core->reply($invite, 486, 'Busy Here');
        $mary->final('INVITE');
        return $id if grep { $_->{'call-id'} =~ /^\Q$id\E~/ }
            $ng[$n]->seen('offer');
    }

    return;
}

my $id = place(0);
ok($id, 'a call whose place is the first');

sub again {
    my ($title) = @_;

    $_->{log} = [] for @ng;

    my $start = time();
    $mary->start('INVITE', sdp_body(web_sdp()), call_id => $id);
    my $invite = $core->expect('INVITE', 8);
    my $took = time() - $start;

    ok($invite, "$title: the call is made");
    is(scalar $ng[1]->seen('offer'), 1, "$title: by the other");

    $core->reply($invite, 486, 'Busy Here') if $invite;
    is($mary->final('INVITE')->{code}, 486, "$title: as ever");
    ok($ng[1]->wait_for('delete'), "$title: freed there");

    return $took;
}

# full

$ng[0]->mode('error', 'Ran out of ports');
again('full');
is(scalar $ng[0]->seen('delete'), 0, 'full: nothing to free at the first');

$ng[1]->mode('error', 'Parallel session limit reached');
my $r = $mary->ask('INVITE', sdp_body(web_sdp()), call_id => $id);
is($r->{code}, 503, 'both are full');
ok($r->h('Retry-After'), 'with Retry-After');
ok($core->none('INVITE', 0.2), 'no INVITE at the core');

# silent: the first call waits for it once, the next does not

$_->mode('answer') for @ng;
$ng[0]->mode('silent');
my $took = again('silent');
ok($ng[0]->wait_for('delete', 1, 5), 'silent: taken back at the first');
$took = again('silent still');
cmp_ok($took, '<', 1.2, 'silent still: at once');
is(scalar $ng[0]->seen('offer'), 0, 'silent still: not asked');

# a browser that gives up in between: nothing is left anywhere

$ng[0]->mode('answer');
IMS::Loop::wait_for(sub { place(0) }, 20);
$_->{log} = [] for @ng;
$ng[0]->mode('hold');
my $sent = $mary->start('INVITE', sdp_body(web_sdp()), call_id => $id);
ok($ng[0]->wait_for('offer'), 'given up: offered to the first');
$mary->send_request($mary->same_hop($sent, 'CANCEL'));
is($mary->final('INVITE')->{code}, 487, 'given up: 487');
$ng[0]->release();
ok($ng[0]->wait_for('delete'), 'given up: freed at the first');
IMS::Loop::pause(2);
is(scalar $ng[1]->seen('offer'), 0, 'given up: not offered to the other');

# gone

$ng[0]->down();
cmp_ok(again('gone'), '<', 1.2, 'gone: at once');

# a call at the first goes on there when the list has another order

$ng[0]->up();
IMS::Loop::wait_for(sub { place(0) }, 20);

sub moved {
    my ($ng, @names) = @_;

    $_->{log} = [] for @ng;
    my $call = call_up($mary, $core, call_id => $id);
    conf(@names);
    $t->reload();
    is($mary->closed(8), 1012, "@names: moved to a new worker");
    $mary = IMS::Browser->open(%mary);
    $mary->register();
    is(hang_up($core, $call->{core}, $mary), 200, "@names: BYE");
    ok($ng->wait_for('delete'), "@names: freed where it was");
    is(scalar $ng->seen('delete'), 1, "@names: once");
}

moved($ng[0], qw/ b a /);
is(scalar $ng[1]->seen('delete'), 0, 'and not elsewhere');

# by that order the same call has its place at the other, which is taken out

moved($ng[1], qw/ a /);
is(scalar $ng[0]->seen('delete'), 0, 'and not at the one that is left');

# nobody needs it any more

$_->{log} = [] for @ng;
ok(place(0), 'new calls go to the one that is left');
is(scalar $ng[1]->seen('offer'), 0, 'only');

$mary->close();

# a sub holds it: the two tests of its own come now, not too late

undef $t;
