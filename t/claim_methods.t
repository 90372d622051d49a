#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The SIP methods that a token lets its user begin. What belongs to a dialog
# passes, and so does an emergency.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ call_down call_up hang_up sdp_body /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::NG;
use IMS::SDP qw/ web_sdp /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(25);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(auth => 'both',
    core => 'emergency numbers=112 '
        . '"route=<sip:127.0.0.1:%%PORT_8981_UDP%%;lr>";',
    media => 'unix:%%TESTDIR%%/ng.sock',
    server => 'ims_portal_claim methods ims.methods; '
        . 'ims_portal_refer on;'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $issued = time() - 100;

sub token {
    my ($user, $methods) = @_;

    return $jwt->token($user, iat => $issued++,
        (defined $methods ? (ims => { methods => $methods }) : ()));
}

sub login {
    my $web = IMS::Browser->open(token => token(@_));

    is($web->register()->{code}, 200, "$_[0] registers");

    return $web;
}

sub passes {
    my ($web, $method) = @_;

    $web->start($method, headers => $method eq 'SUBSCRIBE'
        ? [ Event => 'presence' ] : $method eq 'REFER'
        ? [ 'Refer-To' => '<sip:carol@ims.operator.example>' ]: []);

    my $seen = $core->expect($method, 1) or return 'refused '
        . $web->final($method)->h('Warning');

    $core->reply($seen, 486, 'Busy Here');
    $web->final($method);

    return 'passes';
}

my $no = 'refused 399 portal "not allowed by your token"';

# nothing said, two of them, a list of none, unknown ones

my $any = login('any');

is(passes($any, $_), 'passes', "any: $_") for qw/ MESSAGE OPTIONS /;

my $two = login('two', 'MESSAGE invite');

is(passes($two, 'MESSAGE'), 'passes', 'two: MESSAGE');
is(passes($two, $_), $no, "two: $_")
    for qw/ OPTIONS SUBSCRIBE PUBLISH REFER INFO /;

my $none = login('none', []);

is(passes($none, $_), $no, "none: $_") for qw/ MESSAGE INVITE /;

my $odd = login('odd', [ 'FROBNICATE', 'OPTIONS' ]);

is(passes($odd, 'OPTIONS'), 'passes', 'beside an unknown one');

# an emergency is not asked for its token

$none->start('INVITE', to => 'urn:service:sos', sdp_body(web_sdp()));
my $seen = $core->expect('INVITE');

ok($seen, 'an emergency passes');
$core->reply($seen, 486, 'Busy Here');
$none->final('INVITE');

# within a call of whatever direction; but not a transfer

my $call = call_up($two, $core);

for my $method (qw/ INFO UPDATE /) {
    $two->within($call->{web}, $method);
    $core->reply($core->expect($method), 200, 'OK');
    is($two->final($method)->{code}, 200, "$method within a call");
}

$two->within($call->{web}, 'REFER', headers => [
    'Refer-To' => '<sip:carol@ims.operator.example>' ]);
is($two->final('REFER')->h('Warning'), '399 portal "not allowed by your token"',
    'REFER within a call');
is(hang_up($two, $call->{web}, $core), 200, 'BYE');

$call = call_down($none, $core);
is(hang_up($none, $call->{web}, $core), 200, 'a call that comes');

# a later token allows less, and more again

sub again {
    my ($methods) = @_;

    return $any->register(headers => [ Authorization => 'Bearer '
        . token('any', $methods) ])->{code};
}

is(again('OPTIONS') . passes($any, 'MESSAGE'), "200$no", 'less, at once');
is(again(undef) . passes($any, 'MESSAGE'), '200passes', 'more again');
is(again(7), 403, 'a claim that cannot be read');
is(passes($any, 'MESSAGE'), 'passes', 'and changes nothing');

# the last tests are its own

undef $t;
