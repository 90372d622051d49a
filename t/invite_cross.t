#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# What crosses on the way: CANCEL and answers, INVITEs of both sides, answers
# and ACKs that are lost, and timer C (RFC 3261 9, 13.3.1.4, 14, 16.6).

use warnings;
use strict;

use FindBin;
use Test::More;
use Time::HiRes qw/ time /;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Call qw/ call_up call_down hang_up sdp_body /;
use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IMS::SDP qw/ web_sdp ims_sdp /;
use IMS::SIP;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(48);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock',
    core => 'timer_c ' . 800 * $IMS::Loop::SLOW . 'ms;'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));
my @sdp = ('Content-Type' => 'application/sdp');
my ($call, $r);

$mary->register();

sub dialogs {
    my $r = IMS::Browser::api('GET', path => '/ims/status');

    return $r->{json}{pools}[0]{dialogs};
}

# 100 before 200 ms are over, in either direction

my $since = time();
my $sent = $mary->start('INVITE', sdp_body(web_sdp()));
ok($mary->expect('100'), '100 to the browser');
cmp_ok(time() - $since, '<', 0.2 * $IMS::Loop::SLOW, 'in time');

# CANCEL crosses the 200: the browser gets that, and hangs up

my $seen = $core->expect('INVITE');

$core->reply($seen, 180, 'Ringing', headers => [
    Contact => $core->contact() ]);
$mary->expect('180');
$mary->same_hop($sent, 'CANCEL');
$mary->final('CANCEL');
$core->reply($core->expect('CANCEL'), 481, 'Too late');

my $answer = $core->reply($seen, 200, 'OK', headers => [
    Contact => $core->contact(), @sdp ], body => ims_sdp());
my $ok = $mary->expect('200 INVITE');

ok($ok, 'CANCEL crosses the 200: the browser gets the 200');

my $web = $mary->dialog($sent, $ok, 1);

$mary->within($web, 'ACK', cseq => 1);
ok($core->expect('ACK'), 'ACK');
is(hang_up($mary, $web, $core), 200, 'BYE');
is(dialogs(), 0, 'nothing is left');

# CANCEL crosses a 486

$call = call_up($mary, $core, until => 180);
$mary->same_hop($call->{sent}, 'CANCEL');
$core->expect('CANCEL');
$core->reply($call->{seen}, 486, 'Busy Here');
$r = $mary->final('INVITE');
is($r->{code}, 486, 'CANCEL crosses a 486: the browser gets that');
$mary->same_hop($call->{sent}, 'ACK', $r->h('To'));
$core->forget();

# the core's CANCEL crosses the browser's 200

$call = call_down($mary, $core, until => 180);
$core->same_hop($call->{sent}, 'CANCEL');
is($core->final('CANCEL')->{code}, 200, 'CANCEL of the core');
$mary->reply($mary->expect('CANCEL'), 481, 'Too late');
$answer = $mary->reply($call->{seen}, 200, 'OK', headers => [
    Contact => $mary->contact(), @sdp ], body => web_sdp(setup => 'active'));
$ok = $core->expect('200 INVITE');
ok($ok, 'crosses the 200 of the browser: the core gets that');

my $far = $core->dialog($call->{sent}, $ok, 1);

$core->within($far, 'ACK', cseq => 1);
ok($mary->expect('ACK'), 'ACK');
is(hang_up($core, $far, $mary), 200, 'BYE');

# a CANCEL that comes in time, and one before the browser said anything

$call = call_down($mary, $core, until => 180);
$core->same_hop($call->{sent}, 'CANCEL');
$core->final('CANCEL');
$mary->reply($mary->expect('CANCEL'), 200, 'OK');
$mary->reply($call->{seen}, 487, 'Request Terminated');
is($core->final('INVITE')->{code}, 487, 'CANCEL in time: 487');
$core->same_hop($call->{sent}, 'ACK', $call->{seen}->h('To'));
$mary->forget();

$sent = $core->terminating('INVITE', to => $mary->{impu},
    sdp_body(ims_sdp()));
ok($core->expect('100'), '100 to the core');
$seen = $mary->expect('INVITE');
$core->same_hop($sent, 'CANCEL');
is($core->final('CANCEL')->{code}, 200, 'CANCEL at once');
ok($mary->none('CANCEL', 0.2), 'waits for a provisional answer');
$mary->reply($seen, 180, 'Ringing', headers => [
    Contact => $mary->contact() ]);
$mary->reply($mary->expect('CANCEL'), 200, 'OK');
$mary->reply($seen, 487, 'Request Terminated');
$r = $core->final('INVITE');
is($r->{code}, 487, 'then it goes');
$core->same_hop($sent, 'ACK', $r->h('To'));
is(dialogs(), 0, 'nothing is left');
$_->forget() for $core, $mary;

# a re-INVITE is canceled, the call goes on

$call = call_up($mary, $core);
$web = $call->{web};
$far = $call->{core};

for my $up (1, 0) {
    my ($from, $to, $dialog) = $up ? ($mary, $core, $web)
        : ($core, $mary, $far);

    my $re = $from->within($dialog, 'INVITE',
        sdp_body($up ? web_sdp(version => 3) : ims_sdp(version => 3)));
    $seen = $to->expect('INVITE');
    $to->reply($seen, 183, 'Wait');
    $from->expect('183');
    $from->same_hop($re, 'CANCEL');
    is($from->final('CANCEL')->{code}, 200, 'CANCEL of a re-INVITE');
    $to->reply($to->expect('CANCEL'), 200, 'OK');
    $to->reply($seen, 487, 'Request Terminated');
    $r = $from->final('INVITE');
    is($r->{code}, 487, 'ends it');
    $from->same_hop($re, 'ACK', $r->h('To'));
    $to->expect('ACK');
    is(dialogs(), 1, 'and only it');
}

# both want at once: each refuses the other's (RFC 3261 14.1)

my $mine = $mary->within($web, 'INVITE', sdp_body(web_sdp(version => 4)));
my $theirs = $core->within($far, 'INVITE', sdp_body(ims_sdp(version => 4)));

$seen = $core->expect('INVITE');
$core->reply($seen, 491, 'Request Pending');

my $here = $mary->expect('INVITE');

$mary->reply($here, 491, 'Request Pending');
$r = $mary->final('INVITE');
is($r->{code}, 491, 'glare: 491 to the browser');
$mary->same_hop($mine, 'ACK', $r->h('To'));
$r = $core->final('INVITE');
is($r->{code}, 491, 'and to the core');
$core->same_hop($theirs, 'ACK', $r->h('To'));
IMS::Loop::pause(0.1);
$_->forget() for $core, $mary;

$mary->within($web, 'INVITE', sdp_body(web_sdp(version => 5)));
$seen = $core->expect('INVITE');
$core->reply($seen, 200, 'OK', headers => [ Contact => $core->contact(),
    @sdp ], body => ims_sdp(version => 5));
ok($mary->expect('200 INVITE'), 'the next one is answered');
$mary->within($web, 'ACK');
ok($core->expect('ACK'), 'ACK');

# a 200 to a re-INVITE of the core is lost: the browser says it again

my $re = $core->within($far, 'INVITE', sdp_body(ims_sdp(version => 6)));

$here = $mary->expect('INVITE');
$answer = $mary->reply($here, 200, 'OK', headers => [
    Contact => $mary->contact(), @sdp ], body => web_sdp(version => 6));
$ok = $core->expect('200 INVITE');

my $n = $core->{again};
my $asked = $ng->seen('answer');

$mary->emit($answer->bytes());
ok(IMS::Loop::wait_for(sub { $core->{again} > $n }), '200 again: passed on');
is(scalar(my @a = $ng->seen('answer')), $asked, 'helper not asked again');
$core->within($far, 'ACK');
ok($mary->expect('ACK'), 'ACK');

# its ACK is lost: the core says its 200 again, the browser acknowledges again

$re = $mary->within($web, 'INVITE', sdp_body(web_sdp(version => 7)));
$seen = $core->expect('INVITE');
$answer = $core->reply($seen, 200, 'OK', headers => [
    Contact => $core->contact(), @sdp ], body => ims_sdp(version => 7));
$mary->expect('200 INVITE');

my $ack = $mary->within($web, 'ACK');

ok($core->expect('ACK'), 'ACK, which is lost');
$n = $mary->{again};
$core->emit($answer->bytes(), $seen->{from});
ok(IMS::Loop::wait_for(sub { $mary->{again} > $n }), '200 again: passed on');
$mary->emit($ack->bytes());
is($core->expect('ACK')->cseq(), $re->cseq(), 'ACK again');

is(hang_up($mary, $web, $core), 200, 'BYE');
is(dialogs(), 0, 'nothing is left');

# timer C: a provisional answer starts it anew, silence ends the INVITE

$call = call_up($mary, $core, until => 180);

for my $code (183, 180) {
    IMS::Loop::pause(0.5);
    $core->reply($call->{seen}, $code, 'Still', headers => [
        Contact => $core->contact() ]);
    ok($mary->expect($code), 'still ringing');
}

$r = $mary->final('INVITE', 3);
is($r->{code}, 408, 'nothing more: 408');
$mary->same_hop($call->{sent}, 'ACK', $r->h('To'));
ok($core->expect('CANCEL'), 'CANCEL to the core');

# ... and the far end answers all the same

$answer = $core->reply($call->{seen}, 200, 'OK', headers => [
    Contact => $core->contact(), @sdp ], body => ims_sdp());
is($core->expect('ACK')->tag('To'), $answer->tag('To'), 'late 200: ACK');

my $bye = $core->expect('BYE');

is($bye->tag('To'), $answer->tag('To'), 'and BYE');
$core->reply($bye, 200, 'OK');
is(dialogs(), 0, 'nothing is left');
$_->forget() for $core, $mary;

$call = call_down($mary, $core, until => 180);
$r = $core->final('INVITE', 3);
is($r->{code}, 408, 'timer C towards the browser: 408');
$core->same_hop($call->{sent}, 'ACK', $r->h('To'));
my $cancel = $mary->expect('CANCEL');
ok($cancel, 'CANCEL to the browser');
$mary->reply($cancel, 200, 'OK');
$mary->reply($call->{seen}, 487, 'Request Terminated');
ok($mary->expect('ACK'), 'ACK to its 487');
is(dialogs(), 0, 'nothing is left');

my %deleted;
IMS::Loop::pause(0.2);
$deleted{$_->{'call-id'}}++ for $ng->seen('delete');
is(join(',', grep { $_ != 1 } values %deleted), '', 'each deleted once');
is(scalar(keys %deleted), 8, 'all deleted');

$mary->close();
