#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A login that changes its key (P39): the new kid works at once. Tokens with a
# kid that nobody knows (P40): however many, on however many workers, they have
# the keys fetched once in a while.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use Crypt::PK::ECC;
use IMS::Browser;
use IMS::Conf;
use IMS::JWT;
use IMS::Keys;
use IMS::Loop;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http proxy /)->plan(20);

my $jwt = IMS::JWT->new($t);
my $keys = IMS::Keys->new($t, port(8085));

$t->write_file_expand('nginx.conf', ims_conf(workers => 2,
    key => 'request=/_jwks miss=2s timeout=1s', http => <<'EOC',
    proxy_cache_path %%TESTDIR%%/cache keys_zone=keys:1m;
EOC
    server => <<'EOC'));
        location = /_jwks {
            internal;
            proxy_pass http://127.0.0.1:8085/jwks;
            proxy_cache keys;
            proxy_cache_valid 200 1h;
            proxy_cache_bypass $http_cache_control;
        }
EOC

$keys->answer('/jwks', 200, $jwt->public());

$t->run();

sub status {
    return IMS::Browser::api('POST', token => $_[0])->{status};
}

# both workers have keys

is(status($jwt->token('mary')), 201, 'first key');
status($jwt->token('mary')) for 1 .. 20;
is($keys->asked('/jwks'), 1, 'one fetch for both workers');

# P39: another key under another kid

my $old = $jwt->token('mary');

$jwt->{key}{ES256} = Crypt::PK::ECC->new()->generate_key('secp256r1');
$jwt->{kid}{ES256} = 'e2';
$keys->answer('/jwks', 200, $jwt->public());

is(status($jwt->token('mary')), 200, 'the new kid works at once');
is($keys->asked('/jwks'), 2, 'keys were fetched past the cache');
is($keys->head('/jwks') =~ /^Cache-Control: no-cache\r$/mi, 1,
    'and past others');

my %got;

$got{status($jwt->token('mary'))}++ for 1 .. 20;
is(join(' ', %got), '200 20', 'on both workers');
is(status($old), 401, 'the former key is gone');

%got = ();
$got{status($old)}++ for 1 .. 20;
is(join(' ', %got), '401 20', 'on both workers');
is($keys->asked('/jwks'), 2, 'which is no reason to fetch: the window');

# P40: random kids

IMS::Loop::pause(2.1);

%got = ();

for my $i (1 .. 200) {
    $got{status($jwt->sign('ES256', $jwt->claims('eve'),
        header => { kid => "kid-$i" }))}++;
}

is(join(' ', %got), '401 200', '200 random kids are refused');
is($keys->asked('/jwks'), 3, 'with one fetch');

# what is of no use anyhow is no reason either

IMS::Loop::pause(2.1);

is(status($jwt->sign('ES256', $jwt->claims('eve', exp => time() - 600),
    header => { kid => 'x1' })), 401, 'an expired one');
is(status($jwt->sign('ES256', $jwt->claims('eve', aud => 'billing'),
    header => { kid => 'x2' })), 401, 'one for somebody else');
is(status($jwt->sign('ES256', $jwt->claims('eve', iss => 'https://e.example'),
    header => { kid => 'x3' })), 401, 'one of somebody else');
is($keys->asked('/jwks'), 3, 'no fetch for them');

# all at once

my @kids = map { $jwt->sign('ES256', $jwt->claims('eve'),
    header => { kid => "../../etc/passwd\r\n%00'--$_" }) } 1 .. 8;
my @s = map { IO::Socket::INET->new('127.0.0.1:' . port(8080))
    or die "can't connect: $!\n" } @kids;

$keys->slow('/jwks', 0.3);

print { $s[$_] } "POST /ims/session HTTP/1.1\r\nHost: localhost\r\n"
    . "Connection: close\r\nContent-Length: 0\r\n"
    . "Cookie: ims_session=$kids[$_]\r\n\r\n" for 0 .. $#s;

my $refused = 0;

for my $s (@s) {
    local $/;
    $refused++ if (<$s> // '') =~ m!^HTTP/1.1 401 !;
}

is($refused, 8, 'those who wait together are answered together');
is($keys->asked('/jwks'), 4, 'after one fetch');

# nobody can tell while keys cannot be fetched

IMS::Loop::pause(2.1);
$keys->answer('/jwks', 500, '');
$keys->slow('/jwks', 0);
$jwt->{kid}{ES256} = 'e3';

is(status($jwt->token('mary')), 503, 'an unknown kid, and no answer');
$jwt->{kid}{ES256} = 'e2';
is(status($jwt->token('mary')), 200, 'known ones go on');

my $log = $t->read_file('error.log');
$log =~ s/^.*\[debug\].*\n//mg;
unlike($log, qr/passwd/, 'no kid in the log');
