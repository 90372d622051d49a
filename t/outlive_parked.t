#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# What the core asks while the browser is away waits for it, in order, and is
# answered in its place where that is possible.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ call_up call_down hang_up sdp_body /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IMS::Outlive qw/ vanish /;
use IMS::SDP qw/ ims_sdp web_sdp /;
use IMS::SIP;
use IMS::Subscription qw/ subscribe_up /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(32);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock', grace => 8 * $IMS::Loop::SLOW . 's',
    t1 => 50 * $IMS::Loop::SLOW . 'ms'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my %mary = (token => $jwt->token('mary'), instance => '1-2-3',
    host => 'mary.invalid');
my $mary = IMS::Browser->open(%mary);
my $impu = $mary->{impu};

$mary->register();

sub back {
    $mary = IMS::Browser->open(%mary);

    return $mary->register()->{code};
}

my $call = call_up($mary, $core);
my $sub = subscribe_up($mary, $core, event => 'presence');

# in a call

vanish($t, $mary);

$core->within($call->{core}, 'INFO', body => 'one');
my $reinvite = $core->within($call->{core}, 'INVITE', sdp_body(ims_sdp(
    version => 3)));
ok($core->expect('100'), 're-INVITE: 100 while she is away');
$core->within($call->{core}, 'INFO', body => 'two');
$core->within($sub->{core}, 'NOTIFY', headers => [ Event => 'presence',
    'Subscription-State' => 'active;expires=300' ]);
$core->terminating('MESSAGE', to => $impu, body => 'new');
my $again = $core->{again};
$core->again($reinvite);
ok(IMS::Loop::wait_for(sub { $core->{again} > $again }, 2),
    'its repetition is answered by the same 100');
ok($core->none('4xx', 0.3), 'nothing refused');

is(back(), 200, 'back');

my @order;

for (1 .. 5) {
    my $msg = IMS::Loop::wait_for(sub {
        my ($i) = grep { defined $mary->{queue}[$_]{method} }
            0 .. $#{$mary->{queue}};
        return defined $i ? splice @{$mary->{queue}}, $i, 1 : undef;
    }, 2) or last;

    push @order, "$msg->{method} " . (length $msg->{body} < 4 ? $msg->{body}
        : '');
    $mary->reply($msg, 200, 'OK', headers => [ Contact => $mary->contact(),
        $msg->{method} eq 'INVITE' ? ('Content-Type' => 'application/sdp')
        : () ], body => $msg->{method} eq 'INVITE' ? web_sdp() : '');
}

is(join(',', @order), 'INFO one,INVITE ,INFO two,NOTIFY ,MESSAGE new',
    'all delivered in order');
is($core->final($_)->{code}, 200, "$_ answered")
    for qw/ INFO INFO INVITE NOTIFY MESSAGE /;
$core->within($call->{core}, 'ACK');
ok($mary->expect('ACK'), 'ACK');

# a new call that is taken back

vanish($t, $mary);
my $invite = $core->terminating('INVITE', to => $impu, sdp_body(ims_sdp()));
ok($core->expect('100'), 'a new call: 100');
$core->same_hop($invite, 'CANCEL');
is($core->final('CANCEL')->{code}, 200, 'CANCEL answered');
is($core->final('INVITE')->{code}, 487, 'and the call');
$core->same_hop($invite, 'ACK');
is(back(), 200, 'back');
ok($mary->none('INVITE', 0.4), 'it does not ring');

# one that is not

vanish($t, $mary);
$invite = $core->terminating('INVITE', to => $impu, sdp_body(ims_sdp()));
$core->expect('100');
IMS::Loop::pause(0.5);
is(back(), 200, 'back');
my $seen = $mary->expect('INVITE');
like($seen->{body}, qr/SAVPF/, 'it rings');
my $answer = $mary->reply($seen, 200, 'OK', headers => [
    Contact => $mary->contact(), 'Content-Type' => 'application/sdp' ],
    body => web_sdp(setup => 'active'));
my $ok = $core->final('INVITE');
is($ok->{code}, 200, 'answered');
my $second = { core => $core->dialog($invite, $ok, 1),
    web => $mary->dialog($seen, $answer, 0) };

# its ACK comes when she is away, too

vanish($t, $mary);
$core->within($second->{core}, 'ACK');
is(back(), 200, 'back');
ok($mary->expect('ACK'), 'ACK waited');

# the far end hangs up meanwhile

$core->within($second->{core}, 'INFO', body => 'x');
$mary->reply($mary->expect('INFO'), 200, 'OK');
$core->final('INFO');
vanish($t, $mary);
$core->within($second->{core}, 'INVITE', sdp_body(ims_sdp(version => 4)));
$core->expect('100');
$core->within($second->{core}, 'BYE');
is($core->final('BYE', 1)->{code}, 200, 'BYE answered at once');
is($core->final('INVITE', 1)->{code}, 487, 'what waited in the call ends');
ok($ng->wait_for('delete', 1), 'media freed');
is(back(), 200, 'back');
my $bye = $mary->expect('BYE');
is($bye->h('Call-ID'), $second->{web}{id}, 'she hears of it');
is($bye->tag('To'), $answer->tag('To'), 'in her dialog');
$mary->reply($bye, 200, 'OK');

# too many for one browser, and a browser that does not come back

vanish($t, $mary);
$core->terminating('MESSAGE', to => $impu, body => $_) for 1 .. 17;
my $r = $core->final('MESSAGE', 1);
is($r->{code}, 480, 'one too many: 480 at once');
ok($core->none('480', 0.2), 'the others wait');
$core->within($call->{core}, 'INFO', body => 'z');
$core->final('INFO', 3);

my %codes;

for (1 .. 16) {
    my $got = $core->final('MESSAGE', 4) or last;
    $codes{$got->{code} . ' ' . ($got->h('Retry-After') || '')}++;
}

is(join(',', map { "$_: $codes{$_}" } sort keys %codes), '480 5: 16',
    'never back: 480 with Retry-After');

# the grace time ends

$core->reply($core->expect('BYE', 12), 200, 'OK');
IMS::Loop::wait_for(sub { !$core->{registered}{$impu} }, 5);
$core->within($call->{core}, 'INFO');
is($core->final('INFO')->{code}, 481, 'after the grace time: 481');
is(scalar $ng->seen('delete'), 2, 'media freed, each once');
