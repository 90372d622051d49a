#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A token ends while its user calls for help: that call goes on, whatever
# "ims_portal_token_end" says, and everything else ends.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ sdp_body /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IMS::SDP qw/ web_sdp ims_sdp /;
use Test::Nginx qw/ port /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(19);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock',
    core => 'emergency numbers=112
        "route=<sip:sos@127.0.0.1:%%PORT_8982_UDP%%;lr>";',
    server => <<'EOC'));
        ims_portal_jwt_leeway 0s;

        location = /end {
            ims_portal acme;
            ims_portal_token_end end;
        }

        location = /cap {
            ims_portal acme;
            ims_portal_token_end finish 1s;
        }
EOC

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $ecscf = IMS::Core->new(port => port(8982, udp => 1));
my $exp = time() + 4;

my %who = map {
    $_ => IMS::Browser->open(path => $_ eq 'cap' ? '/cap' : '/end',
        token => $jwt->token($_, exp => $exp))
} qw/ end cap late /;

$_->register() for values %who;

my %help = map {
    $_ => IMS::Call::call_up($who{$_}, $ecscf, to => 'tel:112')
} qw/ end cap /;
my $other = IMS::Call::call_up($who{end}, $core);

# one that is still ringing then

my $late = IMS::Call::call_up($who{late}, $ecscf, to => 'tel:112', until => 1);

my $bye = $who{end}->expect('BYE', 6);

ok($bye, 'the token has ended');
is($bye && $bye->h('Call-ID'), $other->{sent}->h('Call-ID'),
    'the ordinary call, too');
$who{end}->reply($bye, 200, 'OK') if $bye;

ok(IMS::Loop::wait_for(sub {
    grep { $_->h('Call-ID') eq $other->{seen}->h('Call-ID') }
        $core->seen('BYE')
}, 3), 'at the core as well');

IMS::Loop::pause(2.5);

for (sort keys %who) {
    ok($who{$_}->is_open(), "$_: the socket is open");
}

is(scalar $ecscf->seen('BYE'), 0, 'nobody hung up on who calls for help');
is(scalar $ecscf->seen('CANCEL'), 0, 'nor took the call back');
is($who{end}->ask('MESSAGE', body => 'hi')->{code}, 403, 'nothing else');

# the one that rang is answered

$ecscf->reply($late->{seen}, 200, 'OK', headers => [
    Contact => $ecscf->contact(), 'Content-Type' => 'application/sdp' ],
    body => ims_sdp());

my $ok = $who{late}->expect('200 INVITE');

ok($ok, 'late: answered behind the end');
$help{late} = { web => $who{late}->dialog($late->{sent}, $ok, 1) };
$who{late}->within($help{late}{web}, 'ACK');
ok($ecscf->expect('ACK'), 'late: ACK');
IMS::Loop::pause(0.5);
ok($who{late}->is_open(), 'late: goes on');

# until they end

for (sort keys %who) {
    $ecscf->forget();
    is(IMS::Call::hang_up($who{$_}, $help{$_}{web}, $ecscf), 200,
        "$_: hung up");
    is($who{$_}->closed(4), 4401, "$_: then closed");
}

ok($ng->wait_for('delete'), 'media freed');
