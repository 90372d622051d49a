#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# ims_portal_turn: what nginx -t says of mistakes, and what a page is given.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use Digest::SHA qw/ hmac_sha1_base64 hmac_sha256_base64 /;
use IMS::Browser;
use IMS::Conf;
use IMS::JWT;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

# arguments, and what nginx -t must say, and not

my @bad = (
    [ 'turn:a secret=', qr/"ims_portal_turn" directive has an empty secret/ ],
    [ 'turn:a ttl=1h', qr/"ims_portal_turn" directive needs "secret" or/ ],
    [ 'secret=hush ttl=1h', qr/"ims_portal_turn" directive needs a URL/ ],
    [ 'stun:a secret=hush', qr/invalid URL "stun:a" in "ims_portal_turn"/ ],
    [ 'turn: secret=hush', qr/"ims_portal_turn" directive has a URL without/ ],
    [ 'turn:a secret=hush secret=hush',
        qr/"ims_portal_turn" directive has a second secret/ ],
    [ 'turn:a secret=hush secret_file=x',
        qr/"ims_portal_turn" directive has a second secret/ ],
    [ 'turn:a secret=hush ttl=1s',
        qr/"ims_portal_turn" directive has a "ttl" that is not between/ ],
    [ 'turn:a secret=hush ttl=long',
        qr/"ims_portal_turn" directive has a "ttl" that is not between/ ],
    [ 'turn:a secret=hush algorithm=md5',
        qr/invalid parameter "algorithm" in "ims_portal_turn"/ ],
    [ 'turn:a hush=hush', qr/invalid parameter "hush" in "ims_portal_turn"/ ],
    [ 'turn:a secret_file=%%TESTDIR%%/none',
        qr!cannot read ".*/none" of "ims_portal_turn"! ],
    [ 'turn:a secret_file=%%TESTDIR%%/empty',
        qr!no secret of 1 to 1023 bytes .*/empty" of "ims_portal_turn"! ],
    [ 'turn:a secret_file=%%TESTDIR%%/open',
        qr!/open" of "ims_portal_turn" may be read or written by others! ],
);

my $t = Test::Nginx->new()->has(qw/ http /)->plan(13 + 2 * @bad);

my $dir = $t->testdir();
my $jwt = IMS::JWT->new($t);

$t->write_file('empty', "\nhush\n");
$t->write_file('open', "hush\n");
$t->write_file('good', "file hush\r\nmore\n");
chmod 0600, "$dir/empty", "$dir/good";
chmod 0644, "$dir/open";

for my $case (@bad) {
    my ($args, $like) = @$case;

    $t->write_file_expand('bad.conf', ims_conf(
        server => "ims_portal_turn $args;"));

    my $said = ims_check($t, 'bad.conf');

    like($said, $like, $args);
    unlike($said, qr/=hush/, 'the secret is not shown');
}

$t->write_file_expand('nginx.conf', ims_conf(server => <<'EOC'));
    ims_portal_ice_server stun:stun.acme.example;
    ims_portal_turn turn:a.acme.example turns:a.acme.example:443?transport=tcp
        secret=hush;
    ims_portal_turn turn:b.acme.example secret_file=%%TESTDIR%%/good ttl=10m
        user=$ims_portal_user-$server_name algorithm=sha256;
EOC

$t->run();

sub ice {
    my ($user, $life) = @_;

    return IMS::Browser::api('POST', token => $jwt->token($user,
        exp => time() + $life))->{json}{ice_servers};
}

my $ice = ice('mary', 86400);
my $again = ice('mary', 86400);
my $bob = ice('bob', 120);
my $now = time();

is(scalar @$ice, 3, 'three entries');
is_deeply($ice->[0], { urls => [ 'stun:stun.acme.example' ] },
    'STUN needs no credentials');

my ($a, $b) = @$ice[1, 2];

is_deeply($a->{urls}, [ 'turn:a.acme.example',
    'turns:a.acme.example:443?transport=tcp' ], 'URLs of one server');
like($a->{username}, qr/^\d+:[0-9a-f]{16}$/, 'its end and a pseudonym');
is($a->{credential}, hmac_sha1_base64($a->{username}, 'hush') . '=',
    'HMAC-SHA1');
is($a->{ttl}, 43200, 'half a day by default');
cmp_ok(abs((split /:/, $a->{username})[0] - $now - 43200), '<', 5,
    'which is in the name');
is($again->[1]{username} =~ s/^\d+//r, $a->{username} =~ s/^\d+//r,
    'the same pseudonym again');
isnt($bob->[1]{username} =~ s/^\d+//r, $a->{username} =~ s/^\d+//r,
    'another for another user');

like($b->{username}, qr/^\d+:mary-localhost$/, 'user by template');
is($b->{credential}, hmac_sha256_base64($b->{username}, 'file hush') . '=',
    'HMAC-SHA256, secret of a file');
cmp_ok($bob->[1]{ttl}, '<=', 120, 'not beyond the end of the token');
cmp_ok($bob->[1]{ttl}, '>', 110, 'but until then');
