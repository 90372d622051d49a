#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# What is wrong in the lines "identity", "reserve" and "guests" of a pool, and
# in their files, is said.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Conf;
use IMS::JWT;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(40);

my $jwt = IMS::JWT->new($t);

my $bad = 'invalid URI in "identity"';
my $wild = 'invalid wildcarded "identity" ".*":';

my @cases = (

    # ranges and numbers

    [ 'identity sip:u:pw@a.example;', $bad ],
    [ 'identity sip:u@a.example:5060;', $bad ],
    [ 'identity sips:u@a.example;', $bad ],
    [ 'identity "sip:u@a.example;transport=udp";', $bad ],
    [ 'identity "sip:u@a.example;user=phone";', $bad ],
    [ 'identity sip:u%4[0-9]@a.example;', $bad ],
    [ 'identity "tel:12;phone-context=<" impi=a@b;', $bad ],
    [ 'identity tel:+1[0-9] impi=a@b alias=a..b;', 'invalid alias "a..b"' ],
    [ 'identity sip:u@a.example alias=b;', '"alias" of "identity"' ],
    [ 'identity sip:u@a.example impi=$number@b;', 'cannot have "\$number"' ],
    [ 'identity sip:u@a.example subdomains;',
        'invalid parameter "subdomains" in "identity"' ],
    [ 'identity sip:u@a.example; identity sip:%75@A.example;',
        'is twice in "ims_portal_pool"' ],
    [ 'identity tel:+12 impi=a@b; identity tel:+1-2 impi=a@b;',
        'is twice in "ims_portal_pool"' ],

    # what tokens name

    [ 'identity claim=c;', 'needs a valid "domain"' ],
    [ 'identity claim=c domain=a_b;', 'needs a valid "domain"' ],
    [ 'identity claim=c domain=a; identity claim=d domain=b;',
        '"identity" with claim "d", another line has "c"' ],
    [ 'identity claim=c domain=a alias=b;', 'invalid parameter "alias=b"' ],
    [ 'identity sip:u!.*@a.example;', "$wild it has two" ],
    [ 'identity sip:u!.!*!@a.example;', "$wild it has two" ],
    [ 'identity sip:u@!.*!.example;', "$wild the expression ends the user" ],
    [ 'identity sip:u!.*!;', "$wild the expression ends the user" ],
    [ 'identity sip:u!(!@a.example;', "$wild the expression is not a POSIX" ],
    [ 'identity "sip:u!(.)\\\\1!@a.example";', "$wild a .* stands before" ],
    [ 'identity "sip:u!a{9}!@a.example";', "$wild the expression may not" ],
    [ 'identity sip:u!' . 'a' x 129 . '!@a.example;', "$wild .* 1 to 128" ],
    [ 'identity sip:u;x!.*!@a.example;', 'test failed' ],
    [ 'identity tel:+1!.*!;', "$wild it has no host" ],

    # files

    [ 'identity file=none;', 'open\(\) ".*/none" of "identity" failed' ],
    [ 'identity file=.;', 'is not a regular file' ],
    [ 'identity file=list;', 'list:2: invalid URI in "mailto:x@y"',
        "# one\nmailto:x\@y\n" ],
    [ 'identity file=list;', 'list:1: more than two words', 'sip:a@b a@b c' ],
    [ 'identity file=list;', 'list:1: invalid private identity', 'tel:+12' ],
    [ 'identity file=list;', 'list:3: an identity for the second time',
        "sip:a\@b\nsip:c\@b\nsip:%61\@B\n" ],
    [ 'identity file=list;', 'no "identity" in "ims_portal_pool"', "#\n" ],

    # reservations

    [ 'identity sip:u@a.example; reserve user=x;', '"reserve" directive needs' ],
    [ 'identity sip:u@a.example; reserve user=x identity=sip:v@a.example;',
        'the identity is none that an "identity" line has' ],
    [ 'identity sip:u[1-2]@a.example; reserve user=x identity=sip:u1@a.example;'
        . 'reserve user=x identity=sip:u2@a.example;', 'for one user' ],
    [ 'identity sip:u@a.example; reserve file=list;',
        'list:2: the identity is kept for another user already: "y sip:u@a',
        "x sip:u\@a.example\ny sip:u\@a.example\n" ],

    # guests

    [ 'identity sip:u@a.example; guests lease=0;', 'invalid time' ],
    [ 'identity sip:u@a.example; guests many;', 'invalid parameter' ],
);

for my $case (@cases) {
    my ($lines, $error, $list) = @$case;

    $t->write_file('list', $list) if defined $list;

    my $conf = ims_conf(identity => 'PLACE');
    $conf =~ s/identity PLACE;/$lines/;
    $t->write_file_expand('bad.conf', $conf);

    like(ims_check($t, 'bad.conf'), qr/$error/, $lines);
}
