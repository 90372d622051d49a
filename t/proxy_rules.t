#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# What a proxy must refuse, and what it must pass as it is (RFC 3261 16,
# spec SE-11, SE-12).

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Call qw/ call_up call_down hang_up sdp_body /;
use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::NG;
use IMS::SDP qw/ web_sdp ims_sdp /;
use IMS::SIP;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(58);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));
my $ann = IMS::Browser->open(token => $jwt->token('ann'));
my $impu = $mary->{impu};

$_->register() for $mary, $ann;

# hops: none left, none given, many

is($mary->ask('OPTIONS', max_forwards => 0)->{code}, 483, 'no hop left, up');
$core->terminating('OPTIONS', to => $impu, max_forwards => 0);
is($core->final('OPTIONS')->{code}, 483, 'and down');

my $r = $mary->start('MESSAGE', max_forwards => 1);
$r = $core->expect('MESSAGE');
is($r->h('Max-Forwards'), 0, 'the last hop');
$core->reply($r, 200, 'OK');
$mary->final('MESSAGE');

$core->terminating('MESSAGE', to => $impu, without => [ 'Max-Forwards' ]);
$r = $mary->expect('MESSAGE');
is($r->h('Max-Forwards'), 70, 'no Max-Forwards: 70');
$mary->reply($r, 200, 'OK');
$core->final('MESSAGE');

# extensions asked of the proxy

$r = $mary->ask('INVITE', headers => [ 'Proxy-Require' => 'sec-agree, x' ]);
is($r->{code}, 420, 'Proxy-Require up');
like($r->h('Unsupported'), qr/sec-agree, x/, 'Unsupported');
$core->terminating('MESSAGE', to => $impu, headers => [
    'Proxy-Require' => 'x' ]);
$r = $core->final('MESSAGE');
is($r->{code}, 420, 'Proxy-Require down');
is($r->h('Unsupported'), 'x', 'Unsupported');

# loops: what the browser sends has been here already

my $sent = $core->terminating('MESSAGE', to => $impu, body => 'x');
$r = $mary->expect('MESSAGE');
$mary->reply($r, 200, 'OK');
$core->final('MESSAGE');

my $loop = IMS::SIP->new('MESSAGE sip:bob@ims.operator.example SIP/2.0', [
    Via => $mary->via(), Via => $r->h('Via'), 'Max-Forwards' => 20,
    From => "<$impu>;tag=1", To => '<sip:bob@ims.operator.example>',
    'Call-ID' => 'loop', CSeq => '1 MESSAGE' ]);
$mary->emit($loop->bytes());
is($mary->final('MESSAGE')->{code}, 482, 'loop');

# merged: the core forked upstream, and two branches come to one browser

my $one = $core->terminating('INVITE', to => $impu, body => ims_sdp(),
    headers => [ 'Content-Type' => 'application/sdp' ]);
my $invite = $mary->expect('INVITE');
my $two = IMS::SIP->parse($one->bytes() =~ s/branch=z9hG4bKcore/$&fork/r);
$core->emit($two->bytes());
$r = $core->expect('482');
is($r->branch(), $two->branch(), 'merged request: 482');
$core->same_hop($two, 'ACK', $r->h('To'));
ok($mary->none('INVITE'), 'rings once');
$mary->reply($invite, 486, 'Busy Here');
$r = $core->expect('486');
is($r->branch(), $one->branch(), 'the first branch is answered');
$core->same_hop($one, 'ACK', $r->h('To'));

# one after the other is no merger; one that was taken is

my $three = IMS::SIP->parse($one->bytes() =~ s/branch=z9hG4bKcore/$&next/r);
$core->emit($three->bytes());
$r = $mary->expect('INVITE');
ok($r, 'another branch behind a refusal');
$mary->reply($r, 480, 'Not now');
$r = $core->expect('480');
$core->same_hop($three, 'ACK', $r->h('To'));

$one = $core->terminating('MESSAGE', to => $impu, body => 'x');
$mary->reply($mary->expect('MESSAGE'), 200, 'OK');
$core->final('MESSAGE');
$two = IMS::SIP->parse($one->bytes() =~ s/branch=z9hG4bKcore/$&fork/r);
$core->emit($two->bytes());
is($core->final('MESSAGE')->{code}, 482, 'a message is not read twice');

# methods

for my $method (qw/ INFO UPDATE BYE PRACK NOTIFY /) {
    my $bogus = { local => "<$impu>;tag=1", remote => '<sip:bob@x.org>;tag=2',
        id => 'none', routes => [], target => 'sip:bob@x.org', cseq => 5,
        invite => 1 };
    $mary->within($bogus, $method);
    is($mary->final($method)->{code}, 481, "$method of no dialog");
}

$r = $mary->ask('FROB');
is($r->{code}, 405, 'unknown method up');
like($r->h('Allow'), qr/\bSUBSCRIBE\b.*\bREFER\b|\bREFER\b.*\bSUBSCRIBE\b/,
    'Allow');
$core->terminating('FROB', to => $impu);
$r = $mary->expect('FROB');
ok($r, 'unknown method down is the business of the browser');
$mary->reply($r, 501, 'Not Implemented');
is($core->final('FROB')->{code}, 501, 'its answer');
$core->terminating('REGISTER', to => $impu);
$r = $core->final('REGISTER');
is($r->{code}, 405, 'a core does not register at a browser');
ok($r->h('Allow'), 'Allow to the core');
ok($core->none('FROB'), 'nothing unknown at the core');

# each method in a call, both ways, by the stored route alone

my $call = call_up($mary, $core);
my $route = join '|', map { IMS::SIP::uri_of($_) } $call->{ack}->list('Route');

for my $method (qw/ OPTIONS MESSAGE INFO UPDATE /) {
    $call->{web}{routes} = [ '<sip:forged@192.0.2.66;lr>' ];
    $mary->within($call->{web}, $method);
    $r = $core->expect($method);
    is(join('|', map { IMS::SIP::uri_of($_) } $r->list('Route')), $route,
        "$method up by the stored route");
    $core->reply($r, 200, 'OK');
    is($mary->final($method)->{code}, 200, 'answered');

    $core->within($call->{core}, $method);
    $r = $mary->expect($method);
    is($r->h('Route'), undef, "$method down");
    $mary->reply($r, 200, 'OK');
    is($core->final($method)->{code}, 200, 'answered');
}

# nobody else's

my $alien = { %{$call->{web}}, cseq => 900 };
$ann->within($alien, 'BYE');
is($ann->final('BYE')->{code}, 481, 'BYE of another user');
$ann->within($alien, 'INFO');
is($ann->final('INFO')->{code}, 481, 'INFO of another user');
ok($core->none('BYE'), 'the call goes on');

my $wrong = { %{$call->{core}}, remote => $call->{core}{remote} . 'x' };
$core->within($wrong, 'BYE');
is($core->final('BYE')->{code}, 481, 'BYE of another dialog');
is(hang_up($mary, $call->{web}, $core), 200, 'BYE');
$mary->within($call->{web}, 'BYE');
is($mary->final('BYE')->{code}, 481, 'BYE twice');

# schemes and sizes

for my $uri (qw/ http:\/\/x.org mailto:a@x.org im:bob@x.org /) {
    is($mary->ask('MESSAGE', uri => $uri)->{code}, 416, $uri);
}

$mary->start('MESSAGE', body => 'x' x 40000, headers => [
    'X-Long' => 'y' x 8000 ]);
$r = $core->expect('MESSAGE');
is(length $r->{body}, 40000, 'a long one passes');
$core->reply($r, 200, 'OK');
is($mary->final('MESSAGE')->{code}, 200, 'and is answered');

# codes that a browser does not see

for my $case ([ 503, 500 ], [ 604, 604 ], [ 302, 302 ], [ 408, 408 ],
    [ 380, 380 ])
{
    $mary->start('MESSAGE', body => 'x');
    $core->reply($core->expect('MESSAGE'), $case->[0], 'No');
    is($mary->final('MESSAGE')->{code}, $case->[1], "answer $case->[0]");
}
