#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A login that changes its key (P39): the new kid works at once. Tokens with a
# kid that nobody knows (P40): however many, on however many workers, they have
# the keys fetched some times in a while, and keep no new key out.

use warnings;
use strict;

use FindBin;
use Test::More;
use Time::HiRes ();

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use Crypt::PK::ECC;
use IMS::Browser;
use IMS::Conf;
use IMS::JWT;
use IMS::Keys;
use IO::Socket::INET;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http proxy /)->plan(22);

my $jwt = IMS::JWT->new($t);
my $keys = IMS::Keys->new($t, port(8085));

# each place has a window of its own, which is longer than the test

$t->write_file_expand('nginx.conf', ims_conf(workers => 2,
    http => 'proxy_cache_path %%TESTDIR%%/cache keys_zone=keys:1m;',
    server => join '', map { my $miss = $_ eq 'both' ? '5s' : '1m';
        <<"EOC" } qw/ turn many vain once gone both /));
        location = /$_/session {
            ims_portal_session acme;
            ims_portal_jwt_key request=/_$_ miss=$miss timeout=2s;
        }

        location = /_$_ {
            internal;
            proxy_pass http://127.0.0.1:8085/$_;
            proxy_cache keys;
            proxy_cache_valid 200 1h;
            proxy_cache_bypass \$http_cache_control;
        }
EOC

$keys->answer("/$_", 200, $jwt->public()) for qw/ turn many vain once gone both /;

$t->run();

sub status {
    my ($where, $token) = @_;

    return IMS::Browser::api('POST', token => $token,
        path => "/$where/session")->{status};
}

# both workers have keys

is(status('turn', $jwt->token('mary')), 201, 'first key');
status('turn', $jwt->token('mary')) for 1 .. 20;
is($keys->asked('/turn'), 1, 'one fetch for both workers');

# P39: another key under another kid

my $old = $jwt->token('mary');

$jwt->{key}{ES256} = Crypt::PK::ECC->new()->generate_key('secp256r1');
$jwt->{kid}{ES256} = 'e2';
$keys->answer('/turn', 200, $jwt->public());

is(status('turn', $jwt->token('mary')), 200, 'the new kid works at once');
is($keys->asked('/turn'), 2, 'keys were fetched past the cache');
is($keys->head('/turn') =~ /^Cache-Control: no-cache\r$/mi, 1,
    'and past others');

my %got;

$got{status('turn', $jwt->token('mary'))}++ for 1 .. 20;
is(join(' ', %got), '200 20', 'on both workers');
is(status('turn', $old), 401, 'the former key is gone');

%got = ();
$got{status('turn', $old)}++ for 1 .. 20;
is(join(' ', %got), '401 20', 'on both workers');
cmp_ok($keys->asked('/turn'), '<=', 6, 'which is hardly a reason to fetch');

$keys->answer("/$_", 200, $jwt->public()) for qw/ many vain once gone both /;

# P40: random kids

%got = ();
status('many', $jwt->token('mary'));

for my $i (1 .. 200) {
    $got{status('many', $jwt->sign('ES256', $jwt->claims('eve'),
        header => { kid => "kid-$i" }))}++;
}

is(join(' ', %got), '401 200', '200 random kids are refused');
cmp_ok($keys->asked('/many'), '<=', 6, 'with five fetches at most');

# both: a new key amidst random kids, long after their fetches were used up

status('both', $jwt->token('mary'));

my ($begun, $turned, $works) = Time::HiRes::time();
my %before = (key => $jwt->{key}{ES256}, kid => $jwt->{kid}{ES256});

for my $i (1 .. 4000) {
    status('both', $jwt->sign('ES256', $jwt->claims('eve'),
        header => { kid => "kid-$i" }));

    my $now = Time::HiRes::time();

    if (!$turned) {
        next if $now < $begun + 2;

        $turned = $now;
        $jwt->{key}{ES256} = Crypt::PK::ECC->new()->generate_key('secp256r1');
        $jwt->{kid}{ES256} = 'e4';
        $keys->answer('/both', 200, $jwt->public());
    }

    if ($i % 10 == 0 && status('both', $jwt->token('mary')) == 200) {
        $works = $now;
        last;
    }
}

cmp_ok(($works // 9e9) - $turned, '<', 3, 'a new key works soon nevertheless');
cmp_ok($keys->asked('/both'), '<=', 7 + Time::HiRes::time() - $begun,
    'and fetches were as few');

($jwt->{key}{ES256}, $jwt->{kid}{ES256}) = @before{qw/ key kid /};

# what is of no use anyhow is no reason either

status('vain', $jwt->token('mary'));

is(status('vain', $jwt->sign('ES256', $jwt->claims('eve', exp => time() - 600),
    header => { kid => 'x1' })), 401, 'an expired one');
is(status('vain', $jwt->sign('ES256', $jwt->claims('eve', aud => 'billing'),
    header => { kid => 'x2' })), 401, 'one for somebody else');
is(status('vain', $jwt->sign('ES256', $jwt->claims('eve', iss => 'https://e'),
    header => { kid => 'x3' })), 401, 'one of somebody else');
is($keys->asked('/vain'), 1, 'no fetch for them');

# all at once

my @kids = map { $jwt->sign('ES256', $jwt->claims('eve'),
    header => { kid => "../../etc/passwd\r\n%00'--$_" }) } 1 .. 8;
my @s = map { IO::Socket::INET->new('127.0.0.1:' . port(8080))
    or die "can't connect: $!\n" } @kids;

status('once', $jwt->token('mary'));
$keys->slow('/once', 1.5);

print { $s[$_] } "POST /once/session HTTP/1.1\r\nHost: localhost\r\n"
    . "Connection: close\r\nContent-Length: 0\r\n"
    . "Cookie: ims_session=$kids[$_]\r\n\r\n" for 0 .. $#s;

my $refused = 0;

for my $s (@s) {
    local $/;
    $refused++ if (<$s> // '') =~ m!^HTTP/1.1 401 !;
}

is($refused, 8, 'those who wait together are answered together');
is($keys->asked('/once'), 2, 'after one fetch');

# nobody can tell while keys cannot be fetched

status('gone', $jwt->token('mary'));
$keys->answer('/gone', 500, '');
$jwt->{kid}{ES256} = 'e3';

is(status('gone', $jwt->token('mary')), 503, 'an unknown kid, and no answer');
$jwt->{kid}{ES256} = 'e2';
is(status('gone', $jwt->token('mary')), 200, 'known ones go on');

my $log = $t->read_file('error.log');
$log =~ s/^.*\[debug\].*\n//mg;
unlike($log, qr/passwd/, 'no kid in the log');
