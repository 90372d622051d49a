#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Limits of a user: messages, calls begun, requests under way, dialogs. What ends
# something and emergency calls are never refused.

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
use IMS::Loop;
use IMS::NG;
use IMS::SDP qw/ web_sdp /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(36);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    workers => 2, media => 'unix:%%TESTDIR%%/ng.sock', pool => 'dialogs 2;',
    core => 'emergency reject numbers=112;',
    server => '
        location = /messages {
            ims_portal acme;
            ims_portal_limit_messages rate=6r/m burst=8;
        }

        location = /invites {
            ims_portal acme;
            ims_portal_limit_invites rate=6r/m burst=1;
        }

        location = /requests {
            ims_portal acme;
            ims_portal_limit_requests 3;
        }

        location = /waiting {
            ims_portal acme;
            ims_portal_limit_waiting 2;
        }'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();

$core->{on}{MESSAGE} = sub { $_[0]->reply($_[1], 200, 'OK') };

$core->{on}{BYE} = sub { $_[0]->reply($_[1], 481, 'Nothing') };

sub browser {
    my ($user, $path, %o) = @_;

    my $ws = IMS::Browser->open(token => $jwt->token($user), path => $path);

    return $o{bare} || $ws->register()->{code} == 200 ? $ws : undef;
}

sub limits {
    return IMS::Browser::api('GET', path => '/ims/status')->{json}{limits};
}

# messages: of all browsers of a user together

my @mary = map { browser('mary', '/messages') } 1 .. 2;
my @code = map { $mary[$_ % 2]->ask('MESSAGE', body => 'x')->{code} } 1 .. 7;

is("@code", join(' ', (200) x 7), 'one and the burst, of two browsers');

my $r = $mary[0]->ask('MESSAGE', body => 'x');

is($r->{code}, 480, 'one more');
like($r->h('Retry-After'), qr/^([1-9]|10)$/, 'may come again');
like($r->h('Warning'), qr/^399 portal "too many messages"/, 'why');
is($mary[1]->ask('OPTIONS')->{code}, 480, 'nor from the other');
is(scalar $core->seen('MESSAGE'), 7, 'the core saw the others only');
is($mary[0]->ask('BYE')->{code}, 481, 'BYE is not refused for that');
is($mary[0]->ask('INVITE', to => 'tel:112')->{code}, 380,
    'nor an emergency call');

$core->terminating('MESSAGE', to => $mary[0]{impu},
    uri => $core->{registered}{$mary[0]{impu}}{contact},
    route => $core->{registered}{$mary[0]{impu}}{path});
my ($at) = grep { $_->{in} }
    map { { ua => $_, in => $_->expect('MESSAGE', 0.5) } } reverse @mary;
ok($at, 'a message for her');
$at->{ua}->reply($at->{in}, 200, 'OK');
is($core->final('MESSAGE')->{code}, 200, 'and her answer pass');

is(browser('bob', '/messages')->ask('MESSAGE', body => 'x')->{code}, 200,
    'another user');

my $limits = limits();
is($limits->{messages}, 2, 'counted');
is($limits->{floods}, 0, 'no flood yet');

# invalid ones count, too; who does not stop is closed

$mary[0]->send("garbage $_") for 1 .. 50;
ok($mary[0]->is_open(), 'some too many');
$mary[0]->start('MESSAGE', body => $_) for 1 .. 200;
is($mary[0]->closed(3), 1008, 'a flood ends her socket');
like($mary[0]{close_reason}, qr/^does not heed a limit$/, 'why');
ok($mary[1]->is_open(), 'but not that of the other browser');

$limits = limits();
is($limits->{floods}, 1, 'counted');
cmp_ok($limits->{messages}, '<', 220, 'and no message after that');
is(scalar $core->seen('MESSAGE'), 8, 'the core saw nothing of it');
is(scalar(() = $t->read_file('error.log')
    =~ /\[warn\].*user "mary" of pool "acme" is at a limit/g), 1,
    'one line in the log');

# calls begun

my $dan = browser('dan', '/invites');

$dan->start('INVITE', sdp_body(web_sdp())) for 1 .. 3;
is($dan->final('INVITE')->{code}, 480, 'a third INVITE at once');
$core->reply($core->expect('INVITE'), 486, 'Busy Here') for 1 .. 2;
is(join(' ', map { $dan->final('INVITE')->{code} } 1 .. 2), '486 486',
    'the others reach the core');
is($dan->ask('MESSAGE', body => 'x')->{code}, 200, 'messages are not calls');
is($dan->ask('INVITE', to => 'tel:112')->{code}, 380, 'nor emergencies');

# requests under way

my $eve = browser('eve', '/requests');

$eve->start('OPTIONS') for 1 .. 4;
$r = $eve->final('OPTIONS');
is($r->{code}, 503, 'a fourth request under way');
is($r->h('Retry-After'), 5, 'may come again');
$core->reply($core->expect('OPTIONS'), 200, 'OK') for 1 .. 3;
is(join(' ', map { $eve->final('OPTIONS')->{code} } 1 .. 3), '200 200 200',
    'the others are answered');

# messages that wait for the helper

my $fay = browser('fay', '/waiting');

$ng->mode('hold');
$fay->start('INVITE', sdp_body(web_sdp()));
$ng->wait_for('offer');
$fay->start('MESSAGE', body => $_) for 1 .. 3;
is($fay->final('MESSAGE', 1)->{code}, 503, 'a third message that waits');
$fay->start('INVITE', to => 'tel:112');
ok(!$fay->final('INVITE', 0.3), 'an emergency call waits, too');
$ng->release();
is(join(' ', map { $fay->final('MESSAGE')->{code} } 1 .. 2), '200 200',
    'what waited is sent');
is($fay->final('INVITE')->{code}, 380, 'the emergency call is answered');
$core->reply($core->expect('INVITE'), 486, 'Busy Here');
$fay->final('INVITE');

# dialogs, both ways

my $gus = browser('gus', '/ims/sip');
my @call = map { call_up($gus, $core) } 1 .. 2;

is($gus->ask('INVITE', sdp_body(web_sdp()))->{code}, 403, 'a third call');
$core->terminating('INVITE', to => $gus->{impu},
    uri => $core->{registered}{$gus->{impu}}{contact},
    route => $core->{registered}{$gus->{impu}}{path});
is($core->final('INVITE')->{code}, 486, 'nor one that comes');

delete $core->{on}{BYE};
hang_up($gus, $_->{web}, $core) for @call;
is(call_up($gus, $core)->{web} ? 1 : 0, 1, 'room again');

$limits = limits();
is_deeply([ @$limits{qw/ invites requests waiting dialogs /} ],
    [ 1, 1, 1, 2 ], 'counted');
