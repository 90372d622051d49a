#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Calls that end before they began, and calls that lose an end: the helper is
# told once whatever happens.

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
use IMS::SIP;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(31);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock', grace => $IMS::Loop::SLOW . 's'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my %mary = (token => $jwt->token('mary'), instance => '1-2-3');
my $mary = IMS::Browser->open(%mary);
my $calls = 0;

$mary->register();

# as many calls deleted as were offered, each once

sub all_deleted {
    my ($title) = @_;
    my %count;

    $calls++;
    $ng->wait_for('delete', $calls);
    IMS::Loop::pause(0.2);
    $count{$_->{'call-id'}}++ for $ng->seen('delete');
    is(join(',', values %count), join(',', (1) x $calls),
        "$title: deleted once");
}

# refused by the core

my $sent = $mary->start('INVITE', sdp_body(web_sdp()));
my $invite = $core->expect('INVITE');

$core->reply($invite, 486, 'Busy Here');

my $r = $mary->final('INVITE');

is($r->{code}, 486, 'refused');
ok($core->expect('ACK'), 'ACK of the portal');
$mary->same_hop($sent, 'ACK', $r->h('To'));
ok($core->none('ACK'), 'ACK of the browser goes no further');
all_deleted('refused');

# cancelled while ringing

my $call = call_up($mary, $core, until => 180);

$mary->same_hop($call->{sent}, 'CANCEL');
is($mary->final('CANCEL')->{code}, 200, 'CANCEL answered');

my $cancel = $core->expect('CANCEL');

is($cancel && $cancel->branch(), $call->{seen}->branch(), 'branch of INVITE');
$core->reply($cancel, 200, 'OK');
$core->reply($call->{seen}, 487, 'Request Terminated');
is($mary->final('INVITE')->{code}, 487, 'ended');
ok($core->expect('ACK'), 'ACK of the portal to it');
all_deleted('cancelled');

# cancelled before the core said anything: held back until it does

$sent = $mary->start('INVITE', sdp_body(web_sdp()));
$invite = $core->expect('INVITE');
$mary->same_hop($sent, 'CANCEL');
is($mary->final('CANCEL')->{code}, 200, 'early CANCEL answered');
ok($core->none('CANCEL', 0.3), 'held back');
$core->reply($invite, 100, 'Trying');
$cancel = $core->expect('CANCEL');
ok($cancel, 'sent after the 100');
$core->reply($cancel, 200, 'OK');
$core->reply($invite, 487, 'Request Terminated');
is($mary->final('INVITE')->{code}, 487, 'ended');
$core->expect('ACK');
all_deleted('cancelled early');

# a CANCEL of nothing

$sent->set(Via => $mary->via());
$mary->same_hop($sent, 'CANCEL');
is($mary->final('CANCEL')->{code}, 481, 'CANCEL of nothing');

# page closed in the call: BYE at once

$call = call_up($mary, $core);
$mary->close(1001);

my $bye = $core->expect('BYE', 2);

is($bye && $bye->tag('To'), $call->{ok}->tag('To'), 'BYE at once');
cmp_ok($bye->cseq(), '>', 1, 'next CSeq');
$core->reply($bye, 200, 'OK');
all_deleted('page closed');

# socket lost in the call: BYE after the grace time

$mary = IMS::Browser->open(%mary);
$mary->register();
$call = call_down($mary, $core);
$mary->drop();
ok($core->none('BYE', 0.6), 'no BYE within the grace time');
$bye = $core->expect('BYE', 4);
is($bye->tag('To'), $call->{sent}->tag('From'), 'BYE to the caller');
$core->reply($bye, 200, 'OK');
all_deleted('socket lost');

# lost, and back in time: the call goes on

$mary = IMS::Browser->open(%mary);
$mary->register();
$call = call_up($mary, $core);
my $host = $mary->{host};
$mary->drop();
$mary = IMS::Browser->open(%mary, host => $host);
$mary->register();
ok($core->none('BYE', 1.5), 'back in time: no BYE');
is(hang_up($core, $call->{core}, $mary), 200, 'BYE reaches the new socket');
all_deleted('back in time');

# page closed while ringing

$call = call_up($mary, $core, until => 180);
$mary->close(1001);
$cancel = $core->expect('CANCEL', 3);
ok($cancel, 'closed while ringing: CANCEL');
$core->reply($cancel, 200, 'OK');
$core->reply($call->{seen}, 487, 'Request Terminated');
ok($core->expect('ACK'), 'ACK');
all_deleted('closed while ringing');

# page closed while being called

$mary = IMS::Browser->open(%mary);
$mary->register();
$call = call_down($mary, $core, until => 180);
$mary->close(1001);
$r = $core->final('INVITE');
like($r && $r->{code}, qr/^4(80|30|08|87)$/, 'closed while being called');
all_deleted('closed while being called');

# requests in a dialog that is over or was none

$mary = IMS::Browser->open(%mary);
$mary->register();
$call->{web} = $mary->dialog($call->{seen}, $call->{seen}->response(200, 'OK',
    headers => [ Contact => $mary->contact() ]), 0);
$mary->within($call->{web}, 'BYE');
like($mary->final('BYE')->{code}, qr/^4(03|81)$/, 'BYE of no dialog');
ok($core->none('BYE'), 'not at the core');

$mary->close();
