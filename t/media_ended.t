#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The media helper itself says that a browser's media is at an end: no consent
# any more, a certificate that is not the signaled one. The call ends with a
# Reason on both sides, no other does, and consent that is back in time counts.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ call_up hang_up sdp_body /;
use IMS::Conf;
use IMS::Core;
use IMS::Flow;
use IMS::JWT;
use IMS::Loop;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $missing = IMS::Flow::missing();
BAIL_OUT($missing) if $missing;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(28);

my $lost = 'SIP;cause=503;text="media lost"';
my $jwt = IMS::JWT->new($t);
my $helper = start();

$t->write_file_expand('nginx.conf', ims_conf(workers => 2, grace => '60s',
    shutdown => '120s', server => 'ims_portal_drain 1s;',
    media => 'unix:%%TESTDIR%%/1.sock', http => 'ims_portal_media_consent 6s;'));
$t->run();

my $far = IMS::Flow->echo($t);
my $core = IMS::Core->new()->registrar();
my %b = map { $_ => IMS::Browser->open(token => $jwt->token($_)) }
    qw/ mary bob eve amy /;

$_->register() for values %b;

# one that stays to the end

my $bob = call('bob', 'consent');
is($bob->{state}, 'connected', 'a call with media');

# frozen

my $mary = call('mary', 'consent');
$mary->{flow}->freeze();
ended($mary, $lost, 'frozen');
ok($b{bob}->none('BYE'), 'the other call goes on');

# a certificate that is not the signaled one

ended(call('eve', 'forged'), 'SIP;cause=488;text="DTLS failed"', 'forged');

# ... while it rings

my $flow = IMS::Flow->new('forged');
my $sent = $b{eve}->start('INVITE', sdp_body($flow->sdp()));
my $seen = $core->expect('INVITE', 20);
$core->reply($seen, 183, 'Session Progress', headers => [
    Contact => $core->contact(), 'Content-Type' => 'application/sdp' ],
    body => $far);
$flow->go($b{eve}->expect('183', 20)->{body});

my $cancel = $core->expect('CANCEL', 20);
is($cancel && $cancel->h('Reason'), 'SIP;cause=488;text="DTLS failed"',
    'forged early media: CANCEL');
$core->reply($cancel, 200, 'OK');
$core->reply($seen, 487, 'Request Terminated');
my $refused = $b{eve}->final('INVITE');
is($refused->{code}, 480, 'the browser is told');
is($refused->h('Reason'), 'SIP;cause=488;text="DTLS failed"', 'and why');

# frozen, and back in time

my $amy = call('amy', 'consent');
$amy->{flow}->freeze();
ok(lost($amy, 1), 'consent is gone');
$amy->{flow}->thaw();
ok(lost($amy, 0), 'and back');
ok($b{amy}->none('BYE', 8), 'that call goes on');
is(hang_up($b{amy}, $amy->{web}, $core), 200, 'until it is hung up');

# the browser is away: it may come back, and have media again

$amy = call('amy', 'consent');
$amy->{flow}->freeze();
$b{amy}->drop();
ok(lost($amy, 1), 'away: consent is gone');
ok($core->none('BYE', 8), 'away: its grace time counts');

$b{amy} = IMS::Browser->open(token => $jwt->token('amy'),
    instance => $b{amy}{instance});
$b{amy}->register();
ended($amy, $lost, 'it is back, and its media is not');

# a reload: those in a call stay where they are

$mary = call('mary', 'consent');
$t->reload();
$mary->{flow}->freeze();
ended($mary, $lost, 'after a reload');
ok($b{bob}->none('BYE'), 'the other call goes on');
is(hang_up($b{bob}, $bob->{web}, $core), 200, 'until it is hung up');

# another process counts from one again

$helper->stop('KILL');
$helper = start();

$b{zoe} = IMS::Browser->open(token => $jwt->token('zoe'));
$b{zoe}->register();
$mary = call('zoe', 'consent');

is($mary->{state}, 'connected', 'a call at another process');
$mary->{flow}->freeze();
ended($mary, $lost, 'another process');

my $status = IMS::Browser::api('GET', path => '/ims/status')->{json};
is($status->{pools}[0]{dialogs}, 0, 'no call is left');
is($status->{pools}[0]{media_ended}, 6, 'they are counted');
ok(IMS::Loop::wait_for(sub { $helper->calls() == 0 }, 10),
    'nor at the helper');

like($t->read_file('error.log'), qr/media helper says "dtls failed"/, 'log');

$_->close() for values %b;
$helper->stop();

# the log is looked at before the end

undef $t;

###############################################################################

sub start {
    return IMS::Flow->helper($t->testdir() . '/1.sock', web => 28790,
        ports => '28800-28839', options => [qw/ -e 3 -t 120 /]);
}

sub call {
    my ($name, @how) = @_;
    my $flow = IMS::Flow->new(@how);

    my $call = call_up($b{$name}, $core, answer => $far, body => $flow->sdp());
    $call->{state} = $flow->go($call->{ok}{body});
    $call->{flow} = $flow;
    $call->{name} = $name;

    return $call;
}

# BYE on both sides

sub ended {
    my ($call, $reason, $name) = @_;

    for my $end ([ $b{$call->{name}} => 'browser' ], [ $core => 'core' ]) {
        my $bye = $end->[0]->expect('BYE', 40);
        is($bye && $bye->h('Reason'), $reason, "$name: BYE to the $end->[1]");
        $end->[0]->reply($bye, 200, 'OK') if $bye;
    }
}

# what the helper says of the media of a call, within a while

sub lost {
    my ($call, $is) = @_;
    my $id = $call->{sent}->h('Call-ID');

    return IMS::Loop::wait_for(sub {
        my ($name) = grep { index($_, $id) == 0 } $helper->calls();
        my $web = $helper->ng('query', 'call-id' => $name // '')->{web};
        return $web && $web->{'media lost'} == $is;
    }, 30);
}
