#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# What an INVITE and its answers say beside the dialog: reasons, other targets,
# privacy, history.

use warnings;
use strict;

use FindBin;
use Test::More;
use Time::HiRes qw/ time /;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Call qw/ call_up call_down hang_up sdp_body /;
use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IMS::SDP qw/ web_sdp ims_sdp /;
use IMS::SIP;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(80);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));
my @sdp = ('Content-Type' => 'application/sdp');

$mary->register();

# refusals reach the other side with what explains them

my @kept = (
    Contact => '<sip:other@ims.operator.example>;q=0.7',
    Reason => 'Q.850;cause=16;text="bye"',
    'Retry-After' => '30',
    Warning => '399 far "words"',
    'Error-Info' => '<sip:sorry@ims.operator.example>',
);

for my $code (300, 302, 380, 404, 410, 433, 480, 486, 500, 600, 603, 604, 606)
{
    my $sent = $mary->start('INVITE', sdp_body(web_sdp()));
    my $seen = $core->expect('INVITE');

    $core->reply($seen, $code, 'For a reason', headers => [ @kept ]);

    my $r = $mary->final('INVITE');

    is($r->{code}, $code, "$code of the core");
    is($r->{reason}, 'For a reason', 'its words');
    is_deeply([ map { $r->h($kept[2 * $_]) } 0 .. 4 ],
        [ map { $kept[2 * $_ + 1] } 0 .. 4 ], 'its headers');
    $mary->same_hop($sent, 'ACK', $r->h('To'));
    $core->expect('ACK');
}

for my $code (302, 486, 603) {
    my $sent = $core->terminating('INVITE', to => $mary->{impu},
        sdp_body(ims_sdp()));
    my $seen = $mary->expect('INVITE');

    $mary->reply($seen, $code, 'For a reason', headers => [ @kept ]);

    my $r = $core->final('INVITE');

    is($r->{code}, $code, "$code of the browser");
    is($r->h('Reason'), $kept[3], 'its reason');
    is($r->h('Contact'), $kept[1], 'its Contact') if $code == 302;
    $core->same_hop($sent, 'ACK', $r->h('To'));
    $mary->expect('ACK');
}

# towards the browser: who was called, by what way, whether media come early

my @down = (
    'History-Info' => '<sip:old@ims.operator.example?Reason=SIP%3Bcause%3D'
        . '302>;index=1, <sip:new@ims.operator.example>;index=1.1',
    Diversion => '<sip:old@ims.operator.example>;reason=unconditional',
    'P-Early-Media' => 'supported',
    'Alert-Info' => '<urn:alert:service:call-waiting>',
    'Call-Info' => '<https://www.example.org/me.png>;purpose=icon',
    Subject => 'lunch',
);

my $sent = $core->terminating('INVITE', to => $mary->{impu},
    body => ims_sdp(), headers => [ @sdp, @down ]);
my $seen = $mary->expect('INVITE');

while (my ($name, $value) = splice @down, 0, 2) {
    is($seen->h($name), $value, "$name kept");
}

is($seen->h('P-Called-Party-ID'), "<$mary->{impu}>", 'P-Called-Party-ID kept');
ok(defined $seen->h('P-Asserted-Identity'), 'who calls');
unlike($seen->{raw}, qr/secret/, 'nothing of the core');

$mary->reply($seen, 180, 'Ringing', headers => [ Contact => $mary->contact(),
    'P-Early-Media' => 'sendonly', 'Alert-Info' => '<urn:alert:tone:ring>' ]);
my $r = $core->expect('180');
is($r->h('P-Early-Media'), 'sendonly', 'P-Early-Media in the answer');
is($r->h('Alert-Info'), '<urn:alert:tone:ring>', 'and Alert-Info');
$mary->reply($seen, 486, 'Busy Here');
$r = $core->final('INVITE');
$core->same_hop($sent, 'ACK', $r->h('To'));
$mary->expect('ACK');

# Privacy of the caller: who it is stays hidden from the browser

for my $privacy ('id', 'user;id', 'header;id;critical') {
    $sent = $core->terminating('INVITE', to => $mary->{impu},
        from => 'sip:anonymous@anonymous.invalid', body => ims_sdp(),
        headers => [ @sdp, Privacy => $privacy ]);
    $seen = $mary->expect('INVITE');
    is($seen->h('P-Asserted-Identity'), undef, "Privacy: $privacy");
    is($seen->h('Privacy'), $privacy, 'which is kept');
    $mary->reply($seen, 486, 'Busy Here');
    $r = $core->final('INVITE');
    $core->same_hop($sent, 'ACK', $r->h('To'));
    $mary->expect('ACK');
}

# Privacy of Mary: the core is told to keep it, and From says nothing

for my $privacy ('id', 'user', 'header;id') {
    $sent = $mary->start('INVITE', body => web_sdp(),
        headers => [ @sdp, Privacy => $privacy ]);
    $seen = $core->expect('INVITE');
    is($seen->h('Privacy'), $privacy, "Privacy: $privacy");
    like($seen->h('From'), qr/<sip:anonymous\@anonymous\.invalid>/,
        'nameless From');
    like($seen->h('P-Asserted-Identity'), qr/\Q$mary->{impu}\E/,
        'the core knows');
    $core->reply($seen, 180, 'Ringing', headers => [
        Contact => $core->contact(), 'P-Early-Media' => 'sendrecv' ]);
    $r = $mary->expect('180');
    is($r->h('P-Early-Media'), 'sendrecv', 'P-Early-Media of the core');
    is($r->h('From'), $sent->h('From'), 'From as the browser knows it');
    $core->reply($seen, 486, 'Busy Here');
    $r = $mary->final('INVITE');
    $mary->same_hop($sent, 'ACK', $r->h('To'));
    $core->expect('ACK');
}

# "header" alone says nothing of who it is

$sent = $mary->start('INVITE', body => web_sdp(),
    headers => [ @sdp, Privacy => 'header' ]);
$seen = $core->expect('INVITE');
is(IMS::SIP::uri_of($seen->h('From')), $mary->{impu}, 'Privacy: header');
unlike($seen->{raw}, qr/page\@|\.invalid/, 'nothing of the browser itself');
$core->reply($seen, 486, 'Busy Here');
$r = $mary->final('INVITE');
$mary->same_hop($sent, 'ACK', $r->h('To'));

$mary->close();
