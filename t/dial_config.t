#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The lines about numbers: what nginx -t says of mistakes in them.

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

# title, lines of the core, lines of the pool, what nginx -t must say

my @good = (
    [ 'all there is', 'dial_plan country=49 trunk=0 international=00
        area=30 extension=3-5 subscriber=6-8 context=acme.example
        service=116117,*21# service_context=+49 form=sip;
        barred +882 +883,+4990; barred +1900; allowed +490900;
        premium +49180; emergency numbers=112,110:police,999:fire.x-y
        "route=<sip:sos@127.0.0.1:5070;lr>" location=https://lis.example/a?b;',
        'calls 4; calls_per_hour 60; premium_per_hour 5;' ],
    [ 'least', 'dial_plan country=1; emergency reject;', '' ],
    [ 'another route', 'emergency route=sip:127.0.0.2 location=none;', '' ],
);

my @bad = (
    [ 'no country', 'dial_plan trunk=0;', qr/"dial_plan".*"country"/ ],
    [ 'country of letters', 'dial_plan country=de;',
        qr/country=de.*"dial_plan"/ ],
    [ 'country with a plus', 'dial_plan country=+49;',
        qr/country.*"dial_plan"/ ],
    [ 'long country', 'dial_plan country=1234;', qr/country.*"dial_plan"/ ],
    [ 'twice', 'dial_plan country=49; dial_plan country=49;',
        qr/"dial_plan" directive is duplicate/ ],
    [ 'parameter twice', 'dial_plan country=49 country=49;',
        qr/"dial_plan" is duplicate/ ],
    [ 'unknown parameter', 'dial_plan country=49 prefix=9;',
        qr/"prefix=9" of "dial_plan" is unknown/ ],
    [ 'no value', 'dial_plan country;', qr/"country" of "dial_plan"/ ],
    [ 'extension 0', 'dial_plan country=49 extension=0;', qr/"extension=0"/ ],
    [ 'extension upside down', 'dial_plan country=49 extension=5-3;',
        qr/"extension=5-3"/ ],
    [ 'extension too long', 'dial_plan country=49 extension=3-16;',
        qr/"extension=3-16"/ ],
    [ 'subscriber', 'dial_plan country=49 subscriber=x;', qr/"subscriber=x"/ ],
    [ 'context with a space', 'dial_plan country=49 "context=a b";',
        qr/"context=a b" of "dial_plan"/ ],
    [ 'context of signs', 'dial_plan country=49 service_context=+4x;',
        qr/"service_context=\+4x"/ ],
    [ 'service', 'dial_plan country=49 service=11,a;', qr/"service=11,a"/ ],
    [ 'form', 'dial_plan country=49 form=urn;',
        qr/"form=urn" of "dial_plan"/ ],
    [ 'barred without a plan', 'barred +882;',
        qr/"barred" without "dial_plan"/ ],
    [ 'premium without a plan', 'premium +882;',
        qr/"premium" without "dial_plan"/ ],
    [ 'barred without plus', 'dial_plan country=49; barred 882;',
        qr/"barred" directive has a prefix/ ],
    [ 'allowed with a sign', 'dial_plan country=49; allowed +88-2;',
        qr/"allowed" directive has a prefix/ ],
    [ 'emergency without a word', 'emergency numbers=112;',
        qr/"emergency" directive must have either/ ],
    [ 'both words', 'emergency reject route=sip:127.0.0.1;',
        qr/"emergency" directive must have either/ ],
    [ 'unknown word', 'emergency pass;', qr/"pass" of "emergency"/ ],
    [ 'emergency twice', 'emergency reject; emergency reject;',
        qr/"emergency" directive is duplicate/ ],
    [ 'number of letters', 'emergency numbers=sos reject;',
        qr/"numbers=sos" of "emergency"/ ],
    [ 'no numbers', 'emergency numbers= reject;',
        qr/"numbers=" of "emergency"/ ],
    [ 'bad service', 'emergency numbers=110:Police reject;',
        qr/"numbers=110:Police" of "emergency"/ ],
    [ 'route that is no URI', 'emergency route=127.0.0.1;',
        qr/"route=127.0.0.1" of "emergency" is not a SIP URI/ ],
    [ 'route to a number', 'emergency route=tel:112;',
        qr/"route=tel:112" of "emergency" is not a SIP URI/ ],
    [ 'route by SCTP', 'emergency "route=sip:127.0.0.1;transport=sctp";',
        qr/"emergency" has an unknown transport/ ],
    [ 'route of another family', 'emergency route=sip:[::1];',
        qr/address family.*"emergency"/ ],
    [ 'location and reject', 'emergency reject location=none;',
        qr/"emergency" directive has a location/ ],
    [ 'location that is no URI',
        'emergency route=sip:127.0.0.1 location=here;',
        qr/"location=here" of "emergency"/ ],
    [ 'location with quotes',
        'emergency route=sip:127.0.0.1 location=http://a/<>;',
        qr!"location=http://a/<>" of "emergency"! ],
    [ 'calls 0', '', qr/"calls" directive has an invalid number/, 'calls 0;' ],
    [ 'calls of letters', '', qr/"calls" directive has an invalid number/,
        'calls many;' ],
    [ 'calls twice', '', qr/"calls" directive is duplicate/,
        'calls 1; calls 2;' ],
    [ 'rate too high', '', qr/"calls_per_hour" directive has an invalid/,
        'calls_per_hour 10001;' ],
    [ 'premium rate', '', qr/"premium_per_hour" directive has an invalid/,
        'premium_per_hour -1;' ],
);

my $t = Test::Nginx->new()->has(qw/ http /)->plan(@good + @bad);

IMS::JWT->new($t);

sub said {
    my ($core, $pool) = @_;

    $t->write_file_expand('case.conf', ims_conf(core => $core,
        pool => $pool));

    return ims_check($t, 'case.conf');
}

like(said($_->[1], $_->[2]), qr/test is successful/, $_->[0]) for @good;

for my $case (@bad) {
    my ($title, $core, $says, $pool) = @$case;

    my $said = said($core, $pool || '');
    my ($emerg) = $said =~ /^(.*\[emerg\].*)$/m;

    like($said =~ /test failed/ ? $emerg : "passed\n$said", $says, $title);
}

# a sub holds it: the two tests of its own come now, not too late

undef $t;
