#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Emergency requests where the core has no route for them: 380, and nothing
# else, whatever else is said of numbers and users.

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
use IMS::SIP;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(35);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock',
    server => 'ims_portal_jwt_leeway 0s;',
    auth => 'both',
    core => 'dial_plan country=49 trunk=0 international=00 extension=3;
        barred +49 +1; emergency numbers=112,110:police reject;',
    pool => 'calls 1; calls_per_hour 1;'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();

my $eve = IMS::Browser->open(impu => 'sip:u200@acme.ims.operator.example');
is($eve->ask('INVITE', to => 'tel:112')->{code}, 380, 'without a token');
is($eve->ask('INVITE', to => 'tel:1120')->{code}, 407, 'another number');
$eve->close();

my $mary = IMS::Browser->open(token => $jwt->token('mary', exp => time() + 4));
is($mary->ask('INVITE', to => 'tel:112')->{code}, 380, 'not registered');
$mary->register();

# what is refused, in full

my $r = $mary->ask('INVITE', to => 'tel:110');

is($r->{code}, 380, 'registered');
is($r->{reason}, 'Alternative Service', 'reason');
is($r->h('Content-Type'), 'application/3gpp-ims+xml', 'Content-Type');
is($r->h('Content-Length'), length $r->{body}, 'Content-Length');
is($r->h('Contact'), '<urn:service:sos.police>', 'Contact');
like($r->h('Warning'), qr/^399 portal ".*telephone"$/, 'Warning');
like($r->{body}, qr!^<\?xml\ version="1.0"\ encoding="UTF-8"\?>\s*
    <ims-3gpp\ version="1"><alternative-service><type>emergency</type>
    <reason>[^<>]+</reason></alternative-service></ims-3gpp>\s*$!x, 'body');
ok($r->tag('To'), 'To tag');

# all forms

for my $uri (qw/ urn:service:sos URN:service:sos.fire tel:1-1-2 tel:0112
    tel:+49112 tel:112;phone-context=+1 sip:112@ims.operator.example
    sip:%31%31%32@b.example;user=phone sips:(112)@192.0.2.1 /)
{
    is($mary->ask('INVITE', to => $uri)->{code}, 380, $uri);
}

is($mary->ask($_, to => 'tel:112')->{code}, 380, $_)
    for qw/ MESSAGE OPTIONS PUBLISH /;

# what looks like it

is($mary->ask('MESSAGE', to => 'tel:+49112345678')->{code}, 403, 'barred');
is($mary->ask('MESSAGE', to => 'tel:49112')->{code}, 404, 'unknown');

# in the only call that is allowed, and after the end of the token

my $call = IMS::Call::call_up($mary, $core);
is($mary->ask('INVITE', to => 'sip:bob@ims.operator.example')->{code}, 403,
    'no second call');
is($mary->ask('INVITE', to => 'tel:112')->{code}, 380, 'at the limit');

$mary->within($call->{web}, 'REFER', headers => [ 'Refer-To' => '<tel:112>' ]);
is($mary->final('REFER')->{code}, 403, 'no transfer to it');

ok(IMS::Loop::wait_for(sub {
    grep { $_->h('Contact') =~ /;expires=0\b/ } $core->seen('REGISTER')
}, 8), 'token ended');
is($mary->ask('INVITE')->{code}, 407, 'no other call');
is($mary->ask('INVITE', to => 'tel:112')->{code}, 380, 'after the token');
$mary->within($call->{web}, 'REFER', headers => [
    'Refer-To' => '<tel:+4930123456>' ]);
is($mary->final('REFER')->{code}, 403, 'no transfer to what is barred');
is(IMS::Call::hang_up($mary, $call->{web}, $core), 200, 'hung up');

is(join(' ', map { $_->{uri} } map { $core->seen($_) }
    qw/ INVITE MESSAGE OPTIONS PUBLISH /), $call->{seen}{uri},
    'nothing of it at the core');
is(scalar $ng->seen('offer'), 1, 'nor at the helper');
