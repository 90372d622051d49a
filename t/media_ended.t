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

my $t = Test::Nginx->new()->has(qw/ http /)->plan(29);

my $lost = 'SIP;cause=503;text="media lost"';
my $jwt = IMS::JWT->new($t);
my $helper = start();

$t->write_file_expand('nginx.conf', ims_conf(workers => 2, grace => '60s',
    shutdown => '120s', server => 'ims_portal_drain 1s;',
    media => 'unix:%%TESTDIR%%/1.sock', http => 'ims_portal_media_consent 4s;'));
$t->run();

my $far = IMS::Flow->echo($t);
my $core = IMS::Core->new()->registrar();
my %b = map { $_ => IMS::Browser->open(token => $jwt->token($_)) }
    qw/ mary bob eve amy kim /;

$_->register() for values %b;

# bob stays to the end, mary's media freezes, amy's is back in time, and kim's
# browser goes away with its media

my %call = map { $_ => call($_, 'consent') } qw/ bob mary amy kim /;
is($call{bob}{state}, 'connected', 'a call with media');

$call{$_}{flow}->freeze() for qw/ mary amy kim /;
$b{kim}->drop();
ok(lost($call{amy}, 1), 'back in time: consent is gone');
$call{amy}{flow}->thaw();
ok(lost($call{amy}, 0), 'back in time: and back');

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

# the times of all that froze are over when one of them is, and some more

ended($call{mary}, $lost, 'frozen');
ok(lost($call{kim}, 1), 'away: consent is gone');
ok($b{bob}->none('BYE', 4), 'the other call goes on');
ok(!$b{amy}->seen('BYE'), 'back in time: that call goes on');
is(hang_up($b{amy}, $call{amy}{web}, $core), 200, 'until it is hung up');
ok(!byes($core, $call{kim}), 'away: its grace time counts');

# the browser is there again: it may have media again

$b{kim} = IMS::Browser->open(token => $jwt->token('kim'),
    instance => $b{kim}{instance});
$b{kim}->register();
ended($call{kim}, $lost, 'it is back, and its media is not');

# a reload: those in a call stay where they are

my $mary = call('mary', 'consent');
$t->reload();
$mary->{flow}->freeze();
ended($mary, $lost, 'after a reload');
ok($b{bob}->none('BYE'), 'the other call goes on');
is(hang_up($b{bob}, $call{bob}{web}, $core), 200, 'until it is hung up');

# how that call was

my $id = $call{bob}{sent}->h('Call-ID');
ok(IMS::Loop::wait_for(sub { $t->read_file('error.log') =~ /media\ of\ call\ "
    \Q$id\E~[0-9a-f]{8}o",\ MOS\ [1-4]\.\d,\ lowest\ [1-4]\.\d,\ packets\ lost\ \d+,
    \ received\ \d{3,},\ jitter\ \d+\ ms/x }, 20), 'its quality is in the log');

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
        ports => '28800-28839', options => [qw/ -e 2 -t 120 /]);
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
        my ($bye) = IMS::Loop::wait_for(sub { byes($end->[0], $call) }, 40);
        is($bye && $bye->h('Reason'), $reason, "$name: BYE to the $end->[1]");
        next unless $bye;

        my $queue = $end->[0]{queue};
        @$queue = grep { $_ != $bye } @$queue;
        $end->[0]->reply($bye, 200, 'OK');
    }
}

# what has come of a call

sub byes {
    my ($end, $call) = @_;
    my $id = $call->{$end == $core ? 'seen' : 'sent'}->h('Call-ID');

    return (grep { $_->h('Call-ID') eq $id } $end->seen('BYE'))[0];
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
