#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# One registration for the whole block (profile B; RG-20, SE-8): the portal
# registers a distinct identity, serves its users from that, and finds whom a
# request is for.  Two workers: one of them leads.

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
use IMS::SDP qw/ web_sdp ims_sdp /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(42);

my $jwt = IMS::JWT->new($t);
my $main = 'sip:main@acme.ims.operator.example';
my $wild = 'sip:u!.*!@acme.ims.operator.example';

$t->write_file_expand('nginx.conf', ims_conf(workers => 2,
    media => 'unix:%%TESTDIR%%/ng.sock',
    pool => "register_block $main impi=acme\@ims.operator.example "
        . 'profile_key=auto;'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');
my $core = IMS::Core->new();

$t->run();

# the portal registers on its own; nobody is served before that

my $first = $core->expect('REGISTER');

is(IMS::SIP::uri_of($first->h('To')), $main, 'REGISTER of the block');
like($first->h('Authorization'), qr/username="acme\@ims.operator.example"/,
    'its private identity');
is($first->h('Expires'), 3600, 'an hour');
like($first->h('Path'), qr/^<sip:\w+\@[^>]+;lr;ob>$/, 'Path');

my $jwt_mary = $jwt->token('mary');
my $mary = IMS::Browser->open(token => $jwt_mary);
my $early = $mary->register();

is($early->{code}, 503, 'nobody is served before the core has said yes');
ok($early->h('Retry-After'), 'Retry-After');

$core->registrar(expires => 4, headers => [ 'P-Associated-URI' => "<$wild>" ]);
$core->accept($first, expires => 4, headers => [
    'P-Associated-URI' => "<$wild>" ]);

my $ok;

IMS::Loop::wait_for(sub {
    $ok = $mary->register();
    return $ok->{code} == 200;
}, 3);

is($ok->{code}, 200, 'a user is served');
is($ok->h('Service-Route'), $core->service_route(), 'Service-Route');
is(join(', ', $ok->all('P-Associated-URI')), "<$mary->{impu}>, <$wild>",
    'P-Associated-URI, the wildcard not first');
is(scalar(grep { IMS::SIP::uri_of($_->h('To')) ne $main }
    $core->seen('REGISTER')), 0, 'no REGISTER of its own');

# renewed in time

my $n = $core->seen('REGISTER');

ok(IMS::Loop::wait_for(sub { $core->seen('REGISTER') > $n }, 4), 'renewed');

my ($again) = ($core->seen('REGISTER'))[-1];

is($again->h('Call-ID'), $first->h('Call-ID'), 'the same Call-ID');
is(IMS::SIP::uri_of($again->h('Contact')),
    IMS::SIP::uri_of($first->h('Contact')), 'the same Contact');
cmp_ok($again->cseq(), '>', $first->cseq(), 'CSeq');

# longer from here on

$core->registrar(headers => [ 'P-Associated-URI' => "<$wild>" ]);
IMS::Loop::wait_for(sub { $core->seen('REGISTER') > $n + 1 }, 4);
$core->forget();

is($mary->register()->{code}, 200, 'still registered');

# up

my $call = call_up($mary, $core);

is(IMS::SIP::uri_of($call->{seen}->h('P-Asserted-Identity')), $mary->{impu},
    'PAI is the user');
is($call->{seen}->h('P-Profile-Key'), "<$wild>", 'P-Profile-Key');
is($call->{seen}->h('Route'), $core->service_route(), 'Route');
like($call->{seen}->{body}, qr!RTP/AVP!, 'SDP by the helper');
is(hang_up($core, $call->{core}, $mary), 200, 'BYE down');

# down: whom it is for is in P-Called-Party-ID

sub down {
    my ($method, %o) = @_;

    my $r = $core->{registered}{$main};

    return $core->terminating($method, %o, to => $o{called},
        uri => $r->{contact}, route => $r->{path});
}

down('MESSAGE', called => $mary->{impu}, body => 'hello',
    headers => [ 'Content-Type' => 'text/plain' ]);

my $seen = $mary->expect('MESSAGE');

is($seen->{body}, 'hello', 'MESSAGE to her');
$mary->reply($seen, 200, 'OK');
is($core->final('MESSAGE')->{code}, 200, 'and its answer');

down('INVITE', called => 'sip:u199@acme.ims.operator.example',
    sdp_body(ims_sdp()));
is($core->final('INVITE')->{code}, 480, 'an identity without a browser');

down('INVITE', called => 'sip:eve@elsewhere.example', sdp_body(ims_sdp()));
is($core->final('INVITE')->{code}, 404, 'no identity of ours');

# a call to her, with media

my $sent = down('INVITE', called => $mary->{impu}, sdp_body(ims_sdp()));

ok($core->expect('100'), 'answered at once');
$seen = $mary->expect('INVITE');
like($seen->{body}, qr/SAVPF/, 'SDP by the helper');
my $said = $mary->reply($seen, 200, 'OK', headers => [
    Contact => $mary->contact(), 'Content-Type' => 'application/sdp' ],
    body => web_sdp(setup => 'active'));
$ok = $core->expect('200 INVITE');
like($ok->{body}, qr!RTP/AVP!, 'and the answer');

my $far = $core->dialog($sent, $ok, 1);

$core->within($far, 'ACK');
ok($mary->expect('ACK'), 'ACK');
is(hang_up($core, $far, $mary), 200, 'BYE');

# two browsers of hers: the portal forks

my $tab = IMS::Browser->open(token => $jwt->token('mary'));

is($tab->register()->{code}, 200, 'a second browser');

$sent = down('INVITE', called => $mary->{impu}, sdp_body(ims_sdp()));

my ($one, $two) = map { $_->expect('INVITE') } $mary, $tab;

like($_->{body}, qr/SAVPF/, 'it rings there') for $one, $two;

$said = $tab->reply($two, 200, 'OK', headers => [ Contact => $tab->contact(),
    'Content-Type' => 'application/sdp' ],
    body => web_sdp(setup => 'active'));
$mary->reply($one, 180, 'Ringing', headers => [
    Contact => $mary->contact() ]);
$ok = $core->expect('200 INVITE');
is($ok->{code}, 200, 'one answers');
$far = $core->dialog($sent, $ok, 1);
$core->within($far, 'ACK');
ok($tab->expect('ACK'), 'ACK');
ok($mary->expect('CANCEL'), 'the other stops');
$mary->reply($one, 487, 'Request Terminated');
is(hang_up($tab, $tab->dialog($two, $said, 0), $core), 200, 'BYE up');

# leaving is the portal's own affair

$core->forget();
is($tab->register(expires => 0)->{code}, 200, 'de-registered');
ok($core->none('REGISTER'), 'the core hears nothing of it');

# one registration, whoever leads

is(scalar(grep { $_->h('Call-ID') ne $first->h('Call-ID') }
    $core->seen('REGISTER')), 0, 'one registration all the time');

# configuration

for ([ 'register_block tel:x;', 'invalid number of arguments' ],
    [ 'register_block "sip:a b" impi=a@b;', 'invalid URI' ],
    [ "register_block $main gin;", '"impi"' ])
{
    my ($line, $said) = @$_;

    $t->write_file_expand('bad.conf', ims_conf(pool => $line));
    like(ims_check($t, 'bad.conf'), qr/register_block.*\Q$said\E|\Q$said\E.*register_block/,
        $line);
}
