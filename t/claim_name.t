#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The display name in From by claim: quoted, and nothing else can come of it.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ call_down call_up hang_up /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::NG;
use Test::Nginx;
use utf8;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(16);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(auth => 'both',
    media => 'unix:%%TESTDIR%%/ng.sock',
    server => 'ims_portal_claim name profile.name;'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $users = 0;

sub token { return $jwt->token($_[0], profile => { name => $_[1] }) }

sub login {
    my $web = IMS::Browser->open(token => token('user' . ++$users, $_[0]));

    $web->register();

    return $web;
}

sub name_of {
    my ($web, %o) = @_;

    $web->start('MESSAGE', body => 'hi', %o);
    my $seen = $core->expect('MESSAGE');
    $core->reply($seen, 200, 'OK');
    $web->final('MESSAGE');

    my ($name, $uri) = $seen->h('From') =~ /^(.*?)\s*<([^<>]*)>;tag=[^;]*$/
        or return 'torn: ' . $seen->h('From');

    return $uri eq $web->{impu} ? $name : "$name $uri";
}

my %names = (
    'Mary Major' => '"Mary Major"',
    'Mary "M" Major' => '"Mary \\"M\\" Major"',
    'back\\slash\\' => '"back\\\\slash\\\\"',
    'a@b <sip:boss@acme.example>;x' => '"a@b <sip:boss@acme.example>;x"',
    "Zo\xeb \x{1f600}" => "\"Zo\xc3\xab \xf0\x9f\x98\x80\"",
    'x' x 80 => '"' . 'x' x 64 . '"',
    "\x{e9}" x 65 => '"' . "\xc3\xa9" x 64 . '"',
    '"' x 64 => '"' . '\\"' x 64 . '"',
);

for my $name (sort keys %names) {
    my $got = name_of(login($name));

    is($got, $names{$name}, 'name of ' . length($name) . ' characters');
}

is(name_of(login()), '', 'no name');
is(name_of(login('')), '', 'an empty one');
is(name_of(login('Mary'), headers => [ Privacy => 'id' ]),
    '"Anonymous" sip:anonymous@anonymous.invalid', 'who wants to be unknown');

# the name of a call stays that of its first INVITE

my $mary = login('Mary');
my $call = call_up($mary, $core);

like($call->{seen}->h('From'), qr/^"Mary" </, 'of a call');

$mary->register(headers => [ Authorization => 'Bearer '
    . $jwt->token('user' . $users, iat => time() + 1,
        profile => { name => 'Maria' }) ]);
$mary->within($call->{web}, 'INFO');
my $info = $core->expect('INFO');
$core->reply($info, 200, 'OK');
is($info->h('From'), $call->{seen}->h('From'), 'within the call as before');
is(hang_up($mary, $call->{web}, $core), 200, 'BYE');
is(name_of($mary), '"Maria"', 'what begins later has the new one');

# the core's own To is not changed

$call = call_down($mary, $core);
unlike($call->{ok}->h('To'), qr/Mari/, 'who is called');

# the last tests are its own

undef $t;
