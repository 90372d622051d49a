#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# What a browser repeats on a new socket, because no answer came on the old one:
# the same worker knows it and answers it there, another one sends it on; nobody
# else gets at it. A socket that takes the place of another takes over all that
# is under way, reliable provisional answers included.

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
use IMS::Outlive qw/ elsewhere again_here worker_of vanish /;
use IMS::SDP qw/ ims_sdp web_sdp /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(31);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    workers => 2, listen => '127.0.0.1:8080 reuseport',
    media => 'unix:%%TESTDIR%%/ng.sock', grace => 8 * $IMS::Loop::SLOW . 's',
    t1 => 100 * $IMS::Loop::SLOW . 'ms',
    http => 'log_format pid "$pid $uri $status";',
    sip => 'access_log %%TESTDIR%%/pid.log pid;'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my %mary = (token => $jwt->token('mary'), instance => '1-2-3',
    host => 'mary.invalid');
my $mary = IMS::Browser->open(%mary);
my $pid = worker_of($t);

is($mary->register()->{code}, 200, 'registered');
my $call = call_up($mary, $core);

# under way when the socket goes, repeated on the next one: here

my $sent = $mary->within($call->{web}, 'INFO');
my $seen = $core->expect('INFO');
$mary->drop();
$mary = again_here($t, $pid, %mary);
is($mary->register()->{code}, 200, 'back at the same worker');
$mary->emit($sent->bytes());
ok($core->none('INFO', 0.3), 'the repetition is absorbed');
$core->reply($seen, 200, 'OK');
is($mary->final('INFO')->{code}, 200, 'answered on the new socket');

# answered while she is away

$sent = $mary->start('MESSAGE', body => 'x');
$seen = $core->expect('MESSAGE');
vanish($t, $mary);
$core->reply($seen, 202, 'Accepted');
IMS::Loop::pause(0.1);
$mary = again_here($t, $pid, %mary);
$mary->register();
is($mary->final('MESSAGE')->{code}, 202, 'answered meanwhile: told when back');
$mary->{count} = {};
$mary->emit($sent->bytes());
is($mary->final('MESSAGE')->{code}, 202, 'and again when it is repeated');
ok($core->none('MESSAGE', 0.3), 'it went up once');

# another user cannot ask for it

my $eve = again_here($t, $pid, token => $jwt->token('eve'), host =>
    'mary.invalid', instance => '6-6-6');
$eve->register();
$sent->set(From => "<$eve->{impu}>;tag=eve");
$eve->emit($sent->bytes());
$seen = $core->expect('MESSAGE');
ok($seen, 'the same branch of another user is another request');
$core->reply($seen, 200, 'OK');
is($eve->final('MESSAGE')->{code}, 200, 'with its own answer');
$eve->close();

# another worker does not know it: it goes up once more, and the call goes on

$sent = $mary->within($call->{web}, 'INFO');
$seen = $core->expect('INFO');
$mary->drop();
$mary = elsewhere($t, $pid, %mary);
is($mary->register()->{code}, 200, 'back at another worker');
$mary->emit($sent->bytes());
my $twice = $core->expect('INFO');
is($twice->cseq(), $seen->cseq(), 'sent on, same CSeq');
$core->reply($_, 200, 'OK') for $seen, $twice;
is($mary->final('INFO')->{code}, 200, 'answered');
ok($mary->none('200', 0.2), 'once');
is(hang_up($core, $call->{core}, $mary), 200, 'the call is still one');

# a new socket before the old one is gone: a call that rings goes with it

$pid = worker_of($t);
$sent = $mary->start('INVITE', headers => [ Supported => '100rel',
    'Content-Type' => 'application/sdp' ], body => web_sdp());
$seen = $core->expect('INVITE');
my $ringing = $core->reply($seen, 180, 'Ringing', headers => [
    Contact => $core->contact(), Require => '100rel', RSeq => 7 ]);
my $r = $mary->expect('180');
is($r->h('RSeq'), 7, 'ringing, reliably');
my $old = $mary;
$mary = again_here($t, $pid, %mary);
is($mary->register()->{code}, 200, 'moved within the worker');
is($old->closed(), 4409, 'the former socket is told');
ok($core->none('CANCEL', 0.3), 'the call is not given up');

my $early = $mary->dialog($sent, $r, 1);
$mary->within($early, 'PRACK', headers => [ RAck => '7 ' . $sent->cseq()
    . ' INVITE' ]);
my $prack = $core->expect('PRACK');
is($prack->h('RAck'), '7 ' . $seen->cseq() . ' INVITE', 'PRACK');
$core->reply($prack, 200, 'OK');
is($mary->final('PRACK')->{code}, 200, 'answered');
my $answer = $core->reply($seen, 200, 'OK', headers => [
    Contact => $core->contact(), 'Content-Type' => 'application/sdp' ],
    body => ims_sdp());
my $ok = $mary->final('INVITE');
is($ok->{code}, 200, 'the call is answered on the new socket');
$mary->within($mary->dialog($sent, $ok, 1), 'ACK');
ok($core->expect('ACK'), 'ACK');
is(hang_up($core, $core->dialog($seen, $answer, 0), $mary), 200, 'hung up');

# the same downwards, with provisional answers that the portal makes reliable

my $invite = $core->terminating('INVITE', to => $mary->{impu}, headers => [
    Require => '100rel', 'Content-Type' => 'application/sdp' ],
    body => ims_sdp());
$seen = $mary->expect('INVITE');
$mary->reply($seen, 180, 'Ringing', headers => [
    Contact => $mary->contact() ]);
$ringing = $core->expect('180');
ok($ringing->h('RSeq'), 'the core is told reliably');
$old = $mary;
$mary = again_here($t, $pid, %mary);
$mary->register();
my $again = $mary->expect('INVITE');
is($again->branch(), $seen->branch(), 'moved: the INVITE again, same branch');
$answer = $mary->reply($again, 200, 'OK', headers => [
    Contact => $mary->contact(), 'Content-Type' => 'application/sdp' ],
    body => web_sdp(setup => 'active'));
my $far = $core->dialog($invite, $ringing, 1);
$core->within($far, 'PRACK', headers => [ RAck => $ringing->h('RSeq') . ' '
    . $invite->cseq() . ' INVITE' ]);
is($core->final('PRACK')->{code}, 200, 'PRACK is answered');
is($core->final('INVITE')->{code}, 200, 'and then the call');
$core->within($far, 'ACK', cseq => $invite->cseq());
ok($mary->expect('ACK'), 'ACK');
is(hang_up($core, $far, $mary), 200, 'hung up');
is($ng->wait_for('delete', 3), 1, 'media freed');
IMS::Loop::pause(0.2);
is(scalar $ng->seen('delete'), 3, 'each once');

$mary->close();
