#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Renewal within SIP: by a REGISTER with a fresh Bearer before the end, and as
# the answer to a 401 behind it, also while a call goes on.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(30);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock',
    server => <<'EOC'));
        ims_portal_jwt_leeway 0s;
        ims_portal_token_grace 3s;

        location = /sip {
            ims_portal acme;
            ims_portal_auth sip;
        }

        location = /now {
            ims_portal acme;
            ims_portal_auth sip;
            ims_portal_token_grace 0;
        }
EOC

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my %impu = map {
    $_ => IMS::Browser::api('POST',
        token => $jwt->token($_, exp => time() + 1))->{json}{identity}
} qw/ mary bob eve /;

sub bearer {
    return (headers => [ Authorization => 'Bearer ' . $jwt->token(@_) ]);
}

sub gone {
    my ($impu) = @_;

    return IMS::Loop::wait_for(sub {
        grep { $_->h('Contact') =~ /;expires=0\b/ && $_->h('To') =~ /$impu/ }
            $core->seen('REGISTER')
    }, 6);
}

my $begun = time();
my %web = map {
    $_ => IMS::Browser->open(impu => $impu{$_},
        path => $_ eq 'eve' ? '/now' : '/sip')
} qw/ mary bob eve /;

my @short = (exp => $begun + 4);

is($web{$_}->register(bearer($_, @short))->{code}, 200, "$_ is registered")
    for sort keys %web;

# too little is left for a registration

is(IMS::Browser->open(impu => $impu{bob}, path => '/sip')
    ->register(bearer('bob', exp => time() + 1))->{code}, 401,
    'a token that is as good as over');

# renewed in time

my $dora = IMS::Browser->open(path => '/sip', impu => IMS::Browser::api(
    'POST', token => $jwt->token('dora', @short))->{json}{identity});

is($dora->register(bearer('dora', @short))->{code}, 200, 'dora, too');

my $r = $dora->register(expires => 300, bearer('dora'));

is($r->{code}, 200, 'she renews by REGISTER');
like($r->h('Contact'), qr/;expires=300\b/, 'for as long as she asks');
is($dora->register(bearer('mary'))->{code}, 403, 'not as another user');

# the end: mary is in a call, bob is not, eve's location waits for nobody

my $call = IMS::Call::call_up($web{mary}, $core);

is($web{eve}->closed(6), 4401, 'closed at once without a grace time');
ok(gone($impu{$_}), "$_ is de-registered") for qw/ bob mary /;
ok($web{$_}->is_open(), "$_ has his socket still") for qw/ bob mary /;

$r = $web{bob}->register();
is($r->{code}, 401, 'REGISTER is challenged');
like($r->h('WWW-Authenticate'), qr/error="invalid_token"/, 'says why');
$r = $web{bob}->ask('MESSAGE', body => 'hi');
is($r->{code}, 407, 'MESSAGE, too');
like($r->h('Proxy-Authenticate'), qr/error="invalid_token"/, 'says why');
is($web{bob}->register(bearer('bob', @short))->{code}, 401,
    'the token of before');

$core->forget();
$r = $web{bob}->register(expires => 200, bearer('bob'));
is($r->{code}, 200, 'a fresh one');
like($r->h('Contact'), qr/;expires=200\b/, 'registered again');
ok(scalar(grep { $_->h('Contact') !~ /;expires=0\b/ }
    $core->seen('REGISTER')), 'at the core, too');

# in the call: what belongs to it needs no token, what is new does

$web{mary}->within($call->{web}, 'INFO', headers => [
    'Content-Type' => 'application/dtmf-relay' ], body => "Signal=1\r\n");

my $info = $core->expect('INFO');

ok($info, 'INFO in the call');
$core->reply($info, 200, 'OK') if $info;
$web{mary}->final('INFO');

is($web{mary}->ask('INVITE')->{code}, 407, 'no new call');
is($web{mary}->register(bearer('mary'))->{code}, 200, 'a fresh one');
is(IMS::Call::hang_up($web{mary}, $call->{web}, $core), 200, 'hung up');

IMS::Loop::pause($begun + 4 + 3.5 - time());

ok($web{$_}->is_open(), "$_ lives on") for qw/ bob mary /;
is($dora->register()->{code}, 200, 'dora, too');

my $new = IMS::Call::call_up($web{mary}, $core);

ok($new->{web}, 'a new call');
is(IMS::Call::hang_up($web{mary}, $new->{web}, $core), 200, 'hung up');
