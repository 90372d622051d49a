#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Claims that would like to be SIP, and identities of others: what the core gets
# is one message with the identity of the user, or nothing.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ sdp_body /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::NG;
use IMS::SDP qw/ web_sdp /;
use IMS::SIP;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(75);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(auth => 'both',
    media => 'unix:%%TESTDIR%%/ng.sock',
    server => 'ims_portal_claim identity impu; ims_portal_claim name name;
        ims_portal_claim user uid; ims_portal_claim methods methods;
        location = /sip { ims_portal acme; ims_portal_auth sip; }'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $users = 0;

sub token {
    my ($user, %claims) = @_;

    return $jwt->token('x', uid => $user, %claims);
}

sub api {
    my ($method, $token, @headers) = @_;

    return IMS::Browser::api($method, token => $token,
        headers => \@headers);
}

# what the core gets of a user with such a claim, in a REGISTER and a MESSAGE:
# nothing, or messages that are whole and of the user's own identity

sub harm {
    my ($kind, $text) = @_;

    my $token = token($kind eq 'uid' ? $text : 'user' . ++$users,
        $kind eq 'uid' ? () : ($kind => $text));
    my $before = $core->seen('REGISTER') + $core->seen('MESSAGE');
    my $identity = api('POST', $token)->{json}{identity};
    my $web = IMS::Browser->open(path => '/sip',
        impu => $identity || 'sip:u001@acme.ims.operator.example');
    my $bearer = [ Authorization => "Bearer $token" ];

    if ($web->register(headers => $bearer)->{code} == 200) {
        $web->start('MESSAGE', body => 'hi', headers => $bearer);
        $core->reply($core->expect('MESSAGE'), 200, 'OK');
        $web->final('MESSAGE');
    }

    $web->close();

    my @got = (($core->seen('REGISTER')), ($core->seen('MESSAGE')));

    return 'nothing' if @got == $before;

    for my $m (map { ($core->seen($_))[-1] } qw/ REGISTER MESSAGE /) {
        return 'another line' if $m->{raw} =~ /^(?:X-Evil|Evil)/mi;
        return 'another message' if $m->{raw} =~ /\r\n\r\n.*SIP\/2\.0/s;
        return 'another From: ' . $m->h('From')
            if ($m->h('From') =~ /^(?:"(?:[^"\\]|\\.)*" )?<([^<>"]*)>;tag=/)[0]
                ne $identity;
        return 'not UTF-8' unless utf8::decode(my $copy = $m->{raw});
        return 'control characters' if $m->{raw} =~ /[\0-\x08\x0b\x0e-\x1f]/;
    }

    return 'whole';
}

my $end = "\r\n\r\nMESSAGE sip:x SIP/2.0\r\n";

my %hostile = (
    'CR LF' => "a\r\nX-Evil: 1", 'LF' => "a\nX-Evil: 1",
    'CR' => "a\rX-Evil: 1", 'end of message' => "a$end",
    'VT' => "a\x0bX-Evil: 1", 'NEL' => "a\x{85}X-Evil: 1",
    'U+2028' => "a\x{2028}X-Evil: 1", 'right to left' => "a\x{202e}ssob",
    'isolate' => "a\x{2067}b\x{2069}", 'ESC' => "\x1b[2Jboss",
);

for my $kind (qw/ uid name impu /) {
    is(harm($kind, $hostile{$_}), 'nothing', "$kind: $_")
        for sort keys %hostile;
}

my %odd = (
    'quotes' => 'a" <sip:boss@acme.example>;tag=1 "b',
    'backslash' => 'a\\', 'two of them' => 'a\\\\"', '@' => 'boss@acme.example',
    'brackets' => '<sip:boss@acme.example>', 'percent' => '%0d%0aX-Evil: 1',
    'format' => '%s%n%V', 'semicolon' => 'a;tag=1', 'comma' => 'a, <sip:b@c>',
    'look-alike' => "\x{0430}dm\x{0456}n",
);

for my $kind (qw/ uid name /) {
    is(harm($kind, $odd{$_}), 'whole', "$kind: $_") for sort keys %odd;
}

is(harm('impu', $odd{$_}), 'nothing', "impu: $_") for sort keys %odd;

# NUL does not get as far

is(api('POST', token('x', name => "a\0b"))->{status}, 401, 'NUL in a name');
is(api('POST', token("a\0b"))->{status}, 401, 'NUL in a user');

# methods are names, and nothing else

my $user = 'user' . ++$users;
my $mary = IMS::Browser->open(token => token($user,
    methods => "MESSAGE\r\nX-Evil: 1"));

is($mary->register()->{code} . $mary->ask('MESSAGE', body => 'hi')->{code},
    '200403', 'methods: CR LF');

# user A's token, B's identity

my ($alice, $bob) = map { api('POST', token($_))->{json}{identity} }
    qw/ alice bob /;
my $web = IMS::Browser->open(token => token('alice'));

is($web->register(to => $bob)->{code}, 403, 'REGISTER of the other');
is($web->register(to => $alice, from => $bob)->{code}, 403, 'From of his');
is($web->register(to => $bob, from => $alice)->{code}, 403, 'To of his');
is($web->register()->{code}, 200, 'her own');

$web->start('INVITE', from => $bob, sdp_body(web_sdp()));
my $seen = $core->expect('INVITE');
is(IMS::SIP::uri_of($seen->h('From')), $alice, 'INVITE is hers');
is($seen->h('P-Asserted-Identity'), "<$alice>", 'asserted so');
unlike($seen->{raw}, qr/\Q$bob\E/, 'he is not in it');
$core->reply($seen, 486, 'Busy Here');
$web->final('INVITE');

is($web->register(headers => [ Authorization => 'Bearer ' . token('bob') ])
    ->{code}, 403, 'his token on her socket');
is($web->register(headers => [ Authorization => 'Bearer '
    . token('alice', impu => $bob) ])->{code}, 403, 'his identity in her token');
like(api('POST', token('eve', impu => $bob))->{status}, qr/^4(?:03|09)$/,
    'of who has none');

for my $method (qw/ POST PUT /) {
    is(api($method, token('alice'), "X-Identity: $bob")->{json}{identity},
        $alice, "$method does not choose");
}

# the last tests are its own

undef $t;
