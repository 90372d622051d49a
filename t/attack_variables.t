#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Claims as variables, where an administrator puts them into header fields and
# logs: what ends a line there never gets through; and conditions on claims that
# say no in other ways than being absent.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Attack;
use IMS::Browser;
use IMS::JWT;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /);

my $jwt = IMS::JWT->new($t);
my $attack = IMS::Attack->new($t, $jwt);

# values of a claim, as they stand in JSON

my @lines = (
    '"a\r\nSet-Cookie: evil=1"', '"a\nSet-Cookie: evil=1"',
    '"a\rSet-Cookie: evil=1"', '"\r\n\r\n<html>"',
    '"\u001b[2J"', '"a\u007fb"', '["a","b\r\nSet-Cookie: evil=1"]',
    '["a\nSet-Cookie: evil=1","b"]', '"a\u0085b"', '"a\u2028b"',
);

# what is no, for a condition

my @no = ('false', '0', '""', 'null', '[]', '{}', '[[]]', '0.0', '"0"');
my @yes = ('true', '1', '"yes"', '["a"]', '-1');

$t->plan(3 * @lines + @no + @yes + 4);

$t->write_file_expand('nginx.conf', attack_conf(
    http => 'log_format claims "$ims_portal_claim_name|$ims_portal_user|end";
        ims_portal_claim_set $own own name;',
    server => <<'EOC'));
        location = /named {
            ims_portal_session acme;
            add_header X-Name "$ims_portal_claim_name" always;
            add_header X-Own "$own" always;
            access_log %%TESTDIR%%/claims.log claims;
        }

        location = /wanted {
            ims_portal_session acme;
            ims_portal_jwt_require $ims_portal_claim_ok error=403;
        }
EOC

$t->run();

sub ask {
    my ($attack, $path, $members) = @_;
    my $json = JSON::PP->new->canonical->encode($attack->claims('mary'));

    $json =~ s/\}\z/,$members}/;

    return IMS::Browser::api('POST', path => $path,
        token => $attack->forge($attack->header('ES256'), $json, 'ES256'));
}

for my $value (@lines) {
    my $r = ask($attack, '/named', "\"name\":$value,\"own\":{\"name\":$value}");

    like($r->{status}, qr/^20[01]$/, "served: $value");
    unlike($r->{head} . $r->{body}, qr/^(?:Set-Cookie|<html)/m,
        'no line of its own');
    unlike($r->{head}, qr/^X-(?:Name|Own): .*[^\x20-\x7e\r\n]/m,
        'nothing that is no text');
}

my $r = ask($attack, '/named', '"name":"Mary \u00c4","own":{"name":["x","y"]}');

like($r->{head}, qr/^X-Name: Mary \xc3\x84\r$/m, 'text is as it is');
like($r->{head}, qr/^X-Own: x,y\r$/m, 'a list, too');

# a line for each request, whatever was in it

my @log = split /\n/, $t->read_file('claims.log');

is(scalar @log, @lines + 1, 'a line of the log each');
is(scalar(grep { !/\|mary\|end$/ } @log), 0, 'and whole');

is(ask($attack, '/wanted', "\"ok\":$_")->{status}, 403, "no: $_") for @no;
like(ask($attack, '/wanted', "\"ok\":$_")->{status}, qr/^20[01]$/, "yes: $_")
    for @yes;
