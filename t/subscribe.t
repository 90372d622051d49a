#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Dialogs of SUBSCRIBE, of both sides (RFC 6665).

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
use IMS::SIP;
use IMS::Subscription qw/ notify subscribe_up subscribe_down /;
use JSON::PP qw/ decode_json /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(51);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf());
$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));
my $impu = $mary->{impu};
my $own = '127.0.0.1:' . port(8980, udp => 1);

$mary->register();

# the browser subscribes

my $sub = subscribe_up($mary, $core, event => 'presence', expires => 600);
my $seen = $sub->{seen};

is($seen->h('Event'), 'presence', 'SUBSCRIBE at the core');
is(IMS::SIP::uri_of($seen->h('P-Asserted-Identity')), $impu, 'identity');
like($seen->h('Contact'), qr/\@\Q$own\E/, 'Contact of the portal');
like(($seen->list('Record-Route'))[0], qr/\Q$own\E/, 'Record-Route');
is($sub->{ok}{code}, 200, '200 at the browser');
is($sub->{ok}->h('Expires'), 600, 'Expires');

my $r = notify($core, $sub->{core}, $mary, 'active;expires=600',
    headers => [ 'Record-Route' => '<sip:mo@' . $core->host() . ';lr>' ],
    body => '<pidf/>');

is($r->{seen}{body}, '<pidf/>', 'NOTIFY at the browser');
is($r->{seen}->tag('To'), $sub->{sent}->tag('From'), 'To of the browser');
like(join('|', $r->{seen}->list('Record-Route')), qr/^<[^|]*ws;lr>$/,
    'Record-Route of the portal alone');
is($r->{ok}{code}, 200, 'its answer at the core');
like(join('|', $r->{ok}->list('Record-Route')), qr/\Q$own\E.*;lr>\|<sip:mo/,
    'Record-Route of both in it');

# refreshed within its dialog

$mary->within($sub->{web}, 'SUBSCRIBE', headers => [ Event => 'presence',
    Expires => 300, Contact => $mary->contact() ]);
$r = $core->expect('SUBSCRIBE');
is($r->tag('To'), $sub->{answer}->tag('To'), 'refresh in the dialog');
is(IMS::SIP::uri_of($r->h('From')), $impu, 'From');
is(join('|', $r->list('Route')), '<sip:mo@' . $core->host() . ';lr>',
    'route set of the dialog') if $r->list('Route');
$core->reply($r, 200, 'OK', headers => [ Expires => 300,
    Contact => $core->contact() ]);
is($mary->final('SUBSCRIBE')->{code}, 200, 'refreshed');

# another event in the same dialog

$mary->within($sub->{web}, 'SUBSCRIBE', headers => [ Event => 'dialog;id=7',
    Expires => 300, Contact => $mary->contact() ]);
$r = $core->expect('SUBSCRIBE');
$core->reply($r, 202, 'Accepted', headers => [ Expires => 300,
    Contact => $core->contact() ]);
is($mary->final('SUBSCRIBE')->{code}, 202, 'two events in a dialog');

# one ends, the other goes on; with the last one the dialog is gone

notify($core, $sub->{core}, $mary, 'terminated;reason=timeout');
$r = notify($core, $sub->{core}, $mary, 'active;expires=100',
    event => 'dialog;id=7');
is($r->{ok}{code}, 200, 'the other event goes on');

notify($core, $sub->{core}, $mary, 'terminated', event => 'dialog;id=7');
$mary->within($sub->{web}, 'SUBSCRIBE', headers => [ Event => 'presence',
    Expires => 300, Contact => $mary->contact() ]);
is($mary->final('SUBSCRIBE')->{code}, 481, 'nor for the browser');

# NOTIFY before the 2xx, and a fork with another tag

$sub = subscribe_up($mary, $core, event => 'presence', until => 'sent');
my $fork = { %{$core->dialog($sub->{seen}, $sub->{seen}->response(200, 'OK',
    tag => 'early'), 0)} };
my $other = { %{$core->dialog($sub->{seen}, $sub->{seen}->response(200, 'OK',
    tag => 'other'), 0)} };

$r = notify($core, $fork, $mary, 'active;expires=60');
is($r->{ok}{code}, 200, 'NOTIFY before the answer');
is($r->{seen}->tag('From'), 'early', 'its own tag');

$core->reply($sub->{seen}, 200, 'OK', tag => 'early', headers => [
    Expires => 60, Contact => $core->contact() ]);
is($mary->final('SUBSCRIBE')->tag('To'), 'early', '200 of the same fork');

$r = notify($core, $other, $mary, 'active;expires=60');
is($r->{seen}->tag('From'), 'other', 'NOTIFY of another fork');
is($r->{ok}{code}, 200, 'answered');

my $web = $mary->dialog($sub->{sent}, $sub->{seen}->response(200, 'OK',
    tag => 'other', headers => [ Contact => $core->contact() ]), 1);
$web->{local} = $sub->{sent}->h('From');
$web->{routes} = [];
$mary->within($web, 'SUBSCRIBE', headers => [ Event => 'presence',
    Expires => 0, Contact => $mary->contact() ]);
$r = $core->expect('SUBSCRIBE');
is($r->tag('To'), 'other', 'unsubscribe from that fork');
$core->reply($r, 200, 'OK', headers => [ Expires => 0 ]);
$mary->final('SUBSCRIBE');
notify($core, $other, $mary, 'terminated');
$r = notify($core, $fork, $mary, 'active;expires=60');
is($r->{ok}{code}, 200, 'the first one goes on');

# 481 of the browser ends it

$r = notify($core, $fork, $mary, 'active;expires=60', code => 481);
is($r->{ok}{code}, 481, '481 passed on');
$web->{remote} =~ s/other/early/;
$mary->within($web, 'SUBSCRIBE', headers => [ Event => 'presence',
    Expires => 60, Contact => $mary->contact() ]);
is($mary->final('SUBSCRIBE')->{code}, 481, 'and its dialog is gone');
ok($core->none('SUBSCRIBE'), 'for good');

# refused; a NOTIFY for it is one of nothing

$sub = subscribe_up($mary, $core, event => 'presence', until => 'sent');
$core->reply($sub->{seen}, 489, 'Bad Event', headers => [
    'Allow-Events' => 'reg' ]);
$r = $mary->final('SUBSCRIBE');
is($r->{code}, 489, 'refused');
is($r->h('Allow-Events'), 'reg', 'Allow-Events');
$core->within($core->dialog($sub->{seen}, $sub->{seen}->response(200, 'OK'),
    0), 'NOTIFY', headers => [ Event => 'presence',
    'Subscription-State' => 'active' ]);
is($core->final('NOTIFY')->{code}, 481, 'NOTIFY after a refusal');

# outside of any dialog: a message that waits; PUBLISH with its tag

$core->terminating('NOTIFY', to => $impu, body => 'Messages-Waiting: yes',
    headers => [ Event => 'message-summary',
        'Subscription-State' => 'terminated' ]);
$r = $mary->expect('NOTIFY');
is($r->{body}, 'Messages-Waiting: yes', 'unsolicited NOTIFY');
$mary->reply($r, 200, 'OK');
is($core->final('NOTIFY')->{code}, 200, 'answered');

$mary->start('PUBLISH', to => $impu, body => '<pidf/>', headers => [
    Event => 'presence', Expires => 60, 'SIP-If-Match' => 'a1' ]);
$r = $core->expect('PUBLISH');
is($r->h('SIP-If-Match'), 'a1', 'PUBLISH');
$core->reply($r, 200, 'OK', headers => [ 'SIP-ETag' => 'b2', Expires => 60 ]);
is($mary->final('PUBLISH')->h('SIP-ETag'), 'b2', 'SIP-ETag');

# the core subscribes

$sub = subscribe_down($mary, $core, event => 'dialog', expires => 200);
is($sub->{seen}->h('P-Called-Party-ID'), "<$impu>", 'SUBSCRIBE down');
is($sub->{ok}{code}, 200, '200 at the core');
like($sub->{ok}->h('Contact'), qr/\@\Q$own\E/, 'Contact of the portal');
unlike($sub->{ok}{raw}, qr/invalid/, 'nothing of the browser');

$r = notify($mary, $sub->{web}, $core, 'active;expires=200',
    event => 'dialog', body => '<dialog-info/>');
is($r->{seen}{body}, '<dialog-info/>', 'NOTIFY up');
is($r->{seen}->h('From'), $sub->{ok}->h('To'), 'From as the core knows it');
is($r->{seen}{uri}, 'sip:far@' . $core->host(), 'to the Contact of the core');
is($r->{ok}{code}, 200, 'answered');

$core->within($sub->{core}, 'SUBSCRIBE', headers => [ Event => 'dialog',
    Expires => 0, Contact => $core->contact() ]);
$mary->reply($mary->expect('SUBSCRIBE'), 200, 'OK', headers => [
    Expires => 0 ]);
is($core->final('SUBSCRIBE')->{code}, 200, 'the core unsubscribes');
notify($mary, $sub->{web}, $core, 'terminated', event => 'dialog');
$core->within($sub->{core}, 'SUBSCRIBE', headers => [ Event => 'dialog',
    Expires => 60, Contact => $core->contact() ]);
is($core->final('SUBSCRIBE')->{code}, 481, 'over');

# what nobody renews is reaped: its time, and the wait for other forks

sub dialogs {
    my $s = decode_json(IMS::Browser::api('GET', path => '/ims/status')
        ->{body});
    return $s->{pools}[0]{dialogs};
}

$sub = subscribe_up($mary, $core, event => 'presence', expires => 1);
cmp_ok(dialogs(), '>=', 2, 'a record, and one that waits');
ok(IMS::Loop::wait_for(sub { dialogs() == 0 }, 9 * $IMS::Loop::SLOW),
    'both are reaped');

# too many

my $n = 0;

$core->{on}{SUBSCRIBE} = sub { $_[0]->reply($_[1], 200, 'OK',
    headers => [ Contact => $core->contact(), Expires => 60 ]) };
$n++ while $n < 80 && $mary->ask('SUBSCRIBE', headers => [
    Event => 'presence' ])->{code} < 300;
cmp_ok($n, '<', 65, 'a limit');
cmp_ok($n, '>', 20, 'and not a small one');
ok($mary->is_open(), 'still open');

# all of it goes with the browser

$mary->close();
ok(IMS::Loop::wait_for(sub { dialogs() == 0 }, 5), 'no record left');
ok($core->none('BYE'), 'no BYE for a subscription');
