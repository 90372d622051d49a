#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Tokens that are revoked: by user, jti, key or time of issue, on live sockets
# of all workers within a second, and still after a restart.

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

my $t = Test::Nginx->new()->has(qw/ http /)->plan(46);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    workers => 2,
    media => 'unix:%%TESTDIR%%/ng.sock',
    pool => 'store ' . $t->testdir() . '/acme.store;',
    server => 'location = /ims/revoke { ims_portal_revocation acme; '
        . 'ims_portal_origin http://admin.example; }'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();

sub CRLF () { return "\x0d\x0a" }

sub revoke {
    my ($form, %o) = @_;

    my $method = $o{method} || 'POST';
    my $extra = $o{extra} || '';

    return http("$method /ims/revoke HTTP/1.0" . CRLF
        . 'Host: localhost' . CRLF . $extra
        . 'Content-Length: ' . length($form) . CRLF
        . 'Content-Type: application/x-www-form-urlencoded' . CRLF
        . CRLF . $form) =~ m!^HTTP/1.\d (\d+)! ? $1 : 'none';
}

sub browser {
    my ($user, $token) = @_;

    my $b = IMS::Browser->open(token => $token || $jwt->token($user));
    is($b->register()->{code}, 200, "$user is registered") if $b;

    return $b;
}

# a user, with two sockets that may be at different workers, in a call

my @old = (jti => 'one', iat => time() - 10);
my $early = $jwt->token('mary', @old);
my @mary = map { browser('mary', $early) } 1, 2;
my $bob = browser('bob');

my $call = IMS::Call::call_up($mary[0], $core);
ok($call, 'mary is in a call');
$core->forget();

is(revoke('sub=mary&issued_before=' . (time() - 5)), 204, 'mary is revoked');

my $bye = $core->expect('BYE');

ok($bye, 'her call ends');
$core->reply($bye, 200, 'OK') if $bye;
is($_->closed(3), 4403, 'her socket is closed') for @mary;
ok($ng->wait_for('delete'), 'media freed');
ok(IMS::Loop::wait_for(sub {
    2 == grep { $_->h('Contact') =~ /;expires=0\b/ } $core->seen('REGISTER')
}, 5), 'both are de-registered');
is($bob->register()->{code}, 200, 'bob is not concerned');

is(IMS::Browser::api('GET', token => $early)->{status}, 401,
    'her token is refused');
is(IMS::Browser::api('POST', token => $jwt->token('mary'))->{status}, 200,
    'a later one is good');

is(revoke('sub=mary&issued_before=' . (time() - 3600)), 204,
    'less is revoked');
is(IMS::Browser::api('GET', token => $early)->{status}, 401,
    'her old one is still refused');

# a token, and a key

my $jti = $jwt->token('bob', jti => 'a&b=c');

is(IMS::Browser::api('POST', token => $jti)->{status}, 200, 'with a jti');
is(revoke('jti=a%26b%3dc'), 204, 'the jti is revoked');
is(IMS::Browser::api('GET', token => $jti)->{status}, 401, 'refused');
ok($bob->is_open(), 'bob has another token');

is(revoke('kid=h1'), 204, 'a key is revoked');
is(IMS::Browser::api('GET',
    token => $jwt->sign('HS256', $jwt->claims('bob')))->{status}, 401,
    'its tokens are refused');
is(IMS::Browser::api('GET', token => $jwt->token('bob'))->{status}, 200,
    'those of other keys are not');

# all of before

is(revoke('issued_before=' . (time() - 3600)), 204, 'old ones are revoked');
is(IMS::Browser::api('GET',
    token => $jwt->token('bob', iat => time() - 4000))->{status}, 401,
    'an old one is refused');
is(IMS::Browser::api('GET', token => $jwt->token('bob', iat => undef))
    ->{status}, 401, 'one without a time, too');
is(revoke('issued_before=' . (time() - 3600) . '&expires_in=0'), 204,
    'taken back');
is(IMS::Browser::api('GET',
    token => $jwt->token('bob', iat => time() - 4000))->{status}, 200,
    'good again');

# errors

is(revoke($_), 400, "bad form: $_") for '', 'sub=', 'sub', 'sub=a&sub=b',
    'sub=%&issued_before=1', 'jti=%4&issued_before=1', 'sub=%zz',
    'sub=a&jti=b', 'user=mary', 'sub=a&expires_in=x', 'issued_before=-1',
    'sub=a&expires_in=99999999999';
is(revoke('', method => 'GET'), 405, 'not POST');
is(revoke('sub=bob', extra => 'Origin: http://evil.example' . CRLF), 403,
    'a foreign page');
is(revoke('sub=' . 'x' x 40_000), 413, 'too long');

like($t->read_file('error.log'), qr/\[notice\] .* user "mary" are revoked/,
    'logged');

# a restart

$bob->close();
$t->stop();
unlink $t->testdir() . '/nginx.pid';
$t->run();

is(IMS::Browser::api('GET', token => $jti)->{status}, 401,
    'still refused after a restart');
is(IMS::Browser::api('GET', token => $jwt->token('bob'))->{status}, 200,
    'and others are not');

# a full list tells

my $status;

for (1 .. 2000) {
    $status = revoke("jti=$_");
    last if $status != 204;
}

is($status, 503, 'the list is full');
