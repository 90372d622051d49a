#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The core challenges the portal's own refresh of a call (RFC 4028): it is sent
# again with credentials, and the timer goes on.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::NG;
use IMS::SDP qw/ web_sdp ims_sdp /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(6);

my $jwt = IMS::JWT->new($t);

$t->write_file('secrets', "* password \"not to be told\"\n");
chmod 0600, $t->testdir() . '/secrets';

$t->write_file_expand('nginx.conf', ims_conf(
    register => 'digest secrets=%%TESTDIR%%/secrets',
    media => 'unix:%%TESTDIR%%/ng.sock',
    server => 'ims_portal_session_timer 2s min=1s;'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));
my @sdp = ('Content-Type' => 'application/sdp');

$mary->register();

my $sent = $mary->start('INVITE', headers => [ @sdp ], body => web_sdp());

$core->reply($core->expect('INVITE'), 200, 'OK', headers => [
    Contact => $core->contact(), Allow => 'INVITE, ACK, BYE, UPDATE', @sdp ],
    body => ims_sdp());
$mary->within($mary->dialog($sent, $mary->expect('200 INVITE'), 1), 'ACK');
ok($core->expect('ACK'), 'a call');

my $update = $core->expect('UPDATE', 3);

$core->reply($update, 407, 'Who?', headers => [
    'Proxy-Authenticate' => 'Digest realm="ims.operator.example", '
        . 'nonce="n1", algorithm=MD5, qop="auth"' ]);

my $again = $core->expect('UPDATE', 1);

like($again->h('Proxy-Authorization'), qr/nonce="n1"/, 'credentials');
is($again->cseq(), ($update->cseq() || 0) + 1, 'the next CSeq');
is($again->h('Contact'), $update->h('Contact'), 'the same otherwise');
$core->reply($again, 200, 'OK', headers => [ Contact => $core->contact(),
    'Session-Expires' => '2;refresher=uac' ]);
ok($core->expect('UPDATE', 3), 'and the next refresh');
ok(!$mary->seen('UPDATE'), 'none of it at the browser');
