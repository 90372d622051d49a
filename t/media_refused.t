#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The media helper refuses an answer that has come with a 2xx. It gets its ACK,
# and as its sender is in a session now that nobody else is in, the call ends
# on both sides with a Reason.

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
use IMS::NG;
use IMS::SDP qw/ web_sdp ims_sdp /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(17);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));
my $reason = 'SIP;cause=488;text="answer refused"';

$mary->register();

# within a call, from either side

for my $method (qw/ INVITE UPDATE /) {
    my $call = call_up($mary, $core);

    $mary->within($call->{web}, $method, sdp_body(web_sdp(version => 2)));
    my $seen = $core->expect($method);

    $ng->mode('error', 'Error rewriting SDP');
    $core->reply($seen, 200, 'OK', headers => [ Contact => $core->contact(),
        'Content-Type' => 'application/sdp' ], body => ims_sdp());

    is($mary->final($method)->{code}, 488, "$method: the browser gets 488");
    ok($core->expect('ACK'), 'the core ACK') if $method eq 'INVITE';

    for my $end ([ $core => 'core' ], [ $mary => 'browser' ]) {
        my $bye = $end->[0]->expect('BYE');
        is($bye && $bye->h('Reason'), $reason, "$method: BYE, $end->[1]");
        $end->[0]->reply($bye, 200, 'OK') if $bye;
    }

    $ng->mode('answer');
    is(status()->{dialogs}, 0, 'the call is over');
}

is(status()->{media_ended}, 2, 'they are counted');

# the first answer of a call

$mary->start('INVITE', sdp_body(web_sdp()));
my $seen = $core->expect('INVITE');

$ng->mode('error', 'Error rewriting SDP');
$core->reply($seen, 200, 'OK', headers => [ Contact => $core->contact(),
    'Content-Type' => 'application/sdp' ], body => ims_sdp());

is($mary->final('INVITE')->{code}, 488, 'first: the browser gets 488');
ok($core->expect('ACK'), 'the core ACK');
my $bye = $core->expect('BYE');
ok($bye, 'and BYE');
$core->reply($bye, 200, 'OK');
$ng->mode('answer');
is(status()->{dialogs}, 0, 'nothing is left');

# and calls again

my $call = call_up($mary, $core);
ok($call->{web}, 'the next call');
is(hang_up($mary, $call->{web}, $core), 200, 'as ever');
is(status()->{dialogs}, 0, 'no record is left');

$mary->close();

sub status {
    return IMS::Browser::api('GET', path => '/ims/status')->{json}{pools}[0];
}
