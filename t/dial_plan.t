#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Numbers as users type them reach the core in one form, or not at all.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::SIP;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(41);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(core => <<'EOC'));
        dial_plan country=49 trunk=0 international=00 extension=3-4
                  subscriber=6-8 area=30 context=acme.example service=116117;
        barred    +882 +883,+4990;
        allowed   +4990012;
EOC

$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));

$mary->register();

# what reaches the core, answered there

sub reaches {
    my ($typed, $uri, $title) = @_;

    my $sent = $mary->start('MESSAGE', to => $typed, body => 'hi');
    my $seen = $core->expect('MESSAGE', 2);

    is($seen->{uri}, $uri, "$typed: $title");
    is(IMS::SIP::uri_of($seen->h('To')), $typed, 'To as it was written');
    $core->reply($seen, 200, 'OK') if $seen;

    return $mary->final('MESSAGE', 2);
}

is(reaches('tel:030-1234567', 'tel:+49301234567', 'national')->{code}, 200,
    'answered');
reaches('tel:0015550100', 'tel:+15550100', 'international');
reaches('tel:+1(555)0100', 'tel:+15550100', 'global');
reaches('tel:1234567', 'tel:+49301234567', 'subscriber');
reaches('tel:123', 'tel:123;phone-context=acme.example', 'extension');
reaches('tel:116117', 'tel:116117;phone-context=+49', 'service');
reaches('sip:0301234567@ims.operator.example', 'tel:+49301234567',
    'in the home domain');
reaches('sip:123@acme.ims.operator.example',
    'tel:123;phone-context=acme.example', 'in the domain of the identity');
reaches('sip:%2B1-555-0100@any.example;user=phone', 'tel:+15550100',
    'user=phone');
reaches('sip:bob@ims.operator.example', 'sip:bob@ims.operator.example',
    'a name');
reaches('sip:0301234567@b.example', 'sip:0301234567@b.example',
    'of another domain');
reaches('tel:0900-12345', 'tel:+4990012345', 'allowed below barred');

# a call: Request-URI of INVITE, CANCEL and ACK are one

my $invite = $mary->start('INVITE', to => 'tel:030-1234567');
my $seen = $core->expect('INVITE');

is($seen->{uri}, 'tel:+49301234567', 'INVITE');
$core->reply($seen, 180, 'Ringing', headers => [
    Contact => $core->contact() ]);
$mary->expect('180');
$mary->same_hop($invite, 'CANCEL');
is($core->expect('CANCEL')->{uri}, 'tel:+49301234567', 'CANCEL');
$core->reply($seen, 487, 'Request Terminated');
is($mary->final('INVITE')->{code}, 487, 'canceled');
is($core->expect('ACK')->{uri}, 'tel:+49301234567', 'ACK');

# within a dialog the portal's record says where to

$invite = $mary->start('INVITE');
$seen = $core->expect('INVITE');
$core->reply($seen, 200, 'OK', headers => [
    Contact => $core->contact() ]);
my $web = $mary->dialog($invite, $mary->expect('200 INVITE'), 1);
$mary->within($web, 'ACK');
$core->expect('ACK');
$mary->within({ %$web, target => 'tel:+88212345678', cseq => 10 }, 'INFO');
my $info = $core->expect('INFO');
is($info->{uri}, IMS::SIP::uri_of($core->contact()), 'no number in a dialog');
$core->reply($info, 200, 'OK');
$mary->final('INFO');

# what does not

sub refused {
    my ($typed, $code, $words) = @_;

    my $r = $mary->ask('MESSAGE', to => $typed, body => 'hi', wait => 2);

    is($r->{code}, $code, "$typed: $code");
    like($r->h('Warning'), qr/^399 portal "$words"$/, $words);
}

my $before = $core->seen('MESSAGE');

refused('tel:12', 484, 'number too short');
refused('tel:*31#', 404, 'unknown service number');
refused('tel:+88212345678', 403, 'number barred');
refused('tel:0-0883-12345678', 403, 'number barred');
refused('sip:+88212345678@192.0.2.1', 403, 'number barred');

is(scalar $core->seen('MESSAGE'), $before, 'nothing of it at the core');

$mary->close();
