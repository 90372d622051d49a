#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Tokens that a file revokes: its lines, its mistakes, its changes, a reload.

use warnings;
use strict;

use FindBin;
use POSIX ();
use Test::More;
use Time::HiRes ();

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(45);

my $jwt = IMS::JWT->new($t);
my $now = time();
my $conf = ims_conf(pool => 'revoked file=revoked.txt;');

# replaced as a whole, as it is to be

sub revoked {
    my (@lines) = @_;

    $t->write_file('revoked.new', join('', map { "$_\n" } @lines));
    rename $t->testdir() . '/revoked.new', $t->testdir() . '/revoked.txt'
        or die "can't rename: $!\n";
}

sub status {
    return IMS::Browser::api('GET', token => $jwt->token(@_))->{status};
}

$t->write_file_expand('nginx.conf', $conf);

sub check {
    my ($what) = @_;

    $t->write_file_expand('check.conf', $what);

    return ims_check($t, 'check.conf');
}

# mistakes fail the test of the configuration, with the line

for my $case (
    [ 'sub', qr/no value, or an open quote, in line 2 / ],
    [ 'sub "mary', qr/no value, or an open quote, in line 2 / ],
    [ 'sub ""', qr/no value, or an open quote, in line 2 / ],
    [ 'sub mary jane', qr/an unknown word in line 2 / ],
    [ 'sub mary issued_before=x', qr/an invalid time in line 2 / ],
    [ 'sub mary iss="http', qr/an open quote in line 2 / ],
    [ 'jti a b', qr/a word too many in line 2 / ],
    [ 'user mary', qr/an unknown word in line 2 / ],
    [ 'issued_before tomorrow', qr/an invalid time in line 2 / ],
) {
    revoked('# fine', $case->[0]);
    like(check($conf), $case->[1], "bad line: $case->[0]");
}

unlink $t->testdir() . '/revoked.txt';
like(check($conf), qr/"revoked".* failed/, 'no such file');

revoked();

for my $case (
    [ 'path=revoked.txt', qr/"revoked" directive has the form/ ],
    [ 'file=revoked.txt watch=1ms', qr/"watch" that is no time/ ],
    [ 'file=revoked.txt watch=soon', qr/"watch" that is no time/ ],
    [ 'file=revoked.txt often', qr/"revoked" directive has the form/ ],
    [ 'file=revoked.txt; revoked file=revoked.txt',
        qr/"revoked" directive is duplicate/ ],
) {
    like(check(ims_conf(pool => "revoked $case->[0];")), $case->[1],
        "bad: $case->[0]");
}

# all kinds of lines

revoked('# who left', '', 'sub mary', "sub \"tom \\\"t\\\" jones\"\r",
    "sub bob iss=https://login.acme.example issued_before=" . ($now - 100),
    'sub eve iss=https://login.other.example', "\tjti  one ", 'jti "two 2"',
    'kid h1', 'issued_before ' . ($now - 5000),
    'issued_before ' . ($now - 9000), map { "jti many-$_" } 1 .. 5000);

$t->write_file_expand('nginx.conf', $conf);
$t->run();

my $core = IMS::Core->new()->registrar();

is(status('mary'), 401, 'a user');
is(status('tom "t" jones'), 401, 'a user with blanks and quotes');
is(status('tom'), 404, 'not half of him');
is(status('bob', iat => $now - 200), 401, 'an old token of his');
is(status('bob', iat => $now - 50), 404, 'not a newer one');
is(status('eve'), 404, 'not a user of another issuer');
is(status('ann', jti => 'one'), 401, 'a jti');
is(status('ann', jti => 'two 2'), 401, 'a jti with a blank');
is(status('ann', jti => 'One'), 404, 'not another');
is(status('ann', jti => "many-$_"), 401, "number $_ of many")
    for 1, 2500, 5000;
is(IMS::Browser::api('GET', token => $jwt->sign('HS256',
    $jwt->claims('ann')))->{status}, 401, 'a key');
is(status('ann', iat => $now - 6000), 401, 'older than all may be');
is(status('ann', iat => $now - 4000), 404, 'not so old');

# a change is in force on a live socket within a second

my $ann = IMS::Browser->open(token => $jwt->token('ann'));
my $cat = IMS::Browser->open(token => $jwt->token('cat', jti => 'cat'));

is($_->register()->{code}, 200, 'registered') for $ann, $cat;

my $before = Time::HiRes::time();

revoked('sub ann');
is($ann->closed(3), 4403, 'closed when the file names her');
cmp_ok(Time::HiRes::time() - $before, '<', 1.3, 'soon');
ok($cat->is_open(), 'the other one is not concerned');
is(status('mary'), 404, 'who is not named any more is good again');

# a mistake, or no file: what was in force is

revoked('sub cat', 'nonsense');
IMS::Loop::pause(1.2);
ok($cat->is_open(), 'a bad file has no effect');
is(status('ann'), 401, 'the list of before has');
like($t->read_file('error.log'),
    qr/\[error\] .*no value, or an open quote, in line 2 of/, 'logged');

unlink $t->testdir() . '/revoked.txt';
IMS::Loop::pause(1.2);
is(status('ann'), 401, 'a lost file is none that is empty');

POSIX::mkfifo($t->testdir() . '/revoked.txt', 0600) or die "mkfifo: $!\n";
IMS::Loop::pause(1.2);
is(status('ann'), 401, 'nobody waits for a pipe');

revoked('jti cat');
is($cat->closed(3), 4403, 'a new one is read');

# without a watch it is read at a reload only

sub reload {
    my $workers = join ' ', ims_workers($t);

    $t->reload();

    return IMS::Loop::wait_for(sub {
        join(' ', ims_workers($t)) ne $workers && ims_workers($t) == 1
    }, 5);
}

$t->write_file_expand('nginx.conf',
    ims_conf(pool => 'revoked file=revoked.txt watch=off;'));
ok(reload(), 'reload');
revoked('sub dora');
IMS::Loop::pause(1.2);
is(status('dora'), 404, 'not looked at');
ok(reload(), 'another reload');
is(status('dora'), 401, 'read');
is(status('cat', jti => 'cat'), 200, 'who is not in it any more is good');
