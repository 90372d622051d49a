#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# What crosses a BYE: the helper hears of the call once, and what is subscribed
# to in its dialog goes on (RFC 5057).

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ call_up call_down sdp_body hang_up /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IMS::SDP qw/ ims_sdp web_sdp /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(22);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));
my @sdp = ('Content-Type' => 'application/sdp');

$mary->register();

# what the helper was told of the last call, up to now

sub told {
    IMS::Loop::pause(0.1 * $IMS::Loop::SLOW);

    my $last = $ng->{log}[-1]{'call-id'};

    return join ' ', map { $_->{command} }
        grep { $_->{'call-id'} eq $last } @{$ng->{log}};
}

# an answer with SDP comes behind the BYE

my $call = call_up($mary, $core);

$mary->within($call->{web}, 'INVITE');

my $again = $core->expect('INVITE');

$core->within($call->{core}, 'BYE');
$mary->reply($mary->expect('BYE'), 200, 'OK');
is($core->final('BYE')->{code}, 200, 'BYE');
$ng->wait_for('delete', 1);
$core->reply($again, 200, 'OK', headers => [ Contact => $core->contact(),
    @sdp ], body => ims_sdp());

my $ok = $mary->expect('200 INVITE');

ok($ok, 'the answer passes');
is($ok->{body}, '', 'without its offer');
is(told(), 'offer answer delete', 'of which the helper hears nothing');

# the first SDP of a call comes in an UPDATE

my $sent = $core->terminating('INVITE', to => $mary->{impu});
my $seen = $mary->expect('INVITE');
my $answer = $mary->reply($seen, 200, 'OK', headers => [
    Contact => $mary->contact() ]);
my $far = $core->dialog($sent, $core->expect('200 INVITE'), 1);

$core->within($far, 'ACK');
ok($mary->expect('ACK'), 'a call without media');
$core->within($far, 'UPDATE', sdp_body(ims_sdp()));
$mary->reply($mary->expect('UPDATE'), 200, 'OK', headers => [
    Contact => $mary->contact(), @sdp ], body => web_sdp(setup => 'active'));
is($core->final('UPDATE')->{code}, 200, 'UPDATE');
is(hang_up($core, $far, $mary), 200, 'BYE');
ok($ng->wait_for('delete', 2), 'the helper is told');
is(told(), 'offer answer delete', 'once');

# the same before the call is answered, which it is not

$sent = $core->terminating('INVITE', to => $mary->{impu});
$seen = $mary->expect('INVITE');
$mary->reply($seen, 180, 'Ringing', tag => 'p', headers => [
    Contact => $mary->contact() ]);
$far = $core->dialog($sent, $core->expect('180'), 1);
$core->within($far, 'UPDATE', sdp_body(ims_sdp()));
$mary->reply($mary->expect('UPDATE'), 488, 'Not Acceptable Here');
is($core->final('UPDATE')->{code}, 488, 'early UPDATE');
$mary->reply($seen, 486, 'Busy Here', tag => 'p');
$core->same_hop($sent, 'ACK', $core->final('INVITE')->h('To'));
ok($ng->wait_for('delete', 3), 'the helper is told');

# both say BYE, and a transfer is reported all the same

$call = call_up($mary, $core);
$mary->within($call->{web}, 'REFER', headers => [
    'Refer-To' => '<sip:carol@ims.operator.example>',
    Contact => $mary->contact() ]);
$core->reply($core->expect('REFER'), 202, 'Accepted',
    headers => [ Contact => $core->contact() ]);
is($mary->final('REFER')->{code}, 202, 'REFER');

$mary->within($call->{web}, 'BYE');

my $bye = $core->expect('BYE');

$core->within($call->{core}, 'BYE');
is($core->final('BYE')->{code}, 481, 'BYE of a call that is over');
$core->reply($bye, 200, 'OK');
is($mary->final('BYE')->{code}, 200, 'BYE');

$core->within($call->{core}, 'UPDATE', sdp_body(ims_sdp()));
is($core->final('UPDATE')->{code}, 481, 'UPDATE of it');
$mary->within($call->{web}, 'INVITE', sdp_body(web_sdp()));
is($mary->final('INVITE')->{code}, 481, 'INVITE of it');
is(told(), 'offer answer delete', 'the helper hears of neither');

for my $state ('active;expires=60', 'terminated;reason=noresource') {
    $core->within($call->{core}, 'NOTIFY', headers => [ Event => 'refer',
        'Subscription-State' => $state, Contact => $core->contact() ]);

    my $notify = $mary->expect('NOTIFY');

    ok($notify, "NOTIFY $state");
    $mary->reply($notify, 200, 'OK');
    is($core->final('NOTIFY')->{code}, 200, 'answered');
}

is(IMS::Browser::api('GET', path => '/ims/status')->{json}{pools}[0]{dialogs},
    0, 'nothing is left');

$mary->close();
