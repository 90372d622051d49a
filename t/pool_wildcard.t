#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Wildcarded identities: what the expression matches, tokens may name.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(14);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    identity => 'sip:desk!.*!@corp.example impi=desk@ims.operator.example; '
        . 'sip:room-!(north|south)-[0-9]+!@corp.example; '
        . '"tel:+15550!1..|2.*!" impi=$user@ims.operator.example '
        . 'alias=corp.example',
    server => 'ims_portal_claim identity ims.impu;'));

sub lease {
    my ($user, $identity) = @_;

    my $r = IMS::Browser::api('POST', token => $jwt->token($user,
        ims => { impu => $identity }));

    return $r->{json}{identity} // $r->{status};
}

$t->run();

my $core = IMS::Core->new()->registrar();

is(lease("u$_", $_), $_, "within: $_")
    for 'sip:desk12@corp.example', 'sip:desk-a.b@corp.example',
        'sip:room-south-7@corp.example', 'tel:+15550123';

is(lease('eve', $_), 403, "not within: $_")
    for 'sip:des@corp.example', 'sip:desk1@corp.example.evil.example',
        'sip:desk1@evil.example@corp.example', 'sip:room-west-7@corp.example',
        'sip:room-south-7x@corp.example', 'sip:xroom-south-7@corp.example';

is(lease('eve', 'tel:+155501234'), 403, 'all of it');
is(lease('eve', 'sip:%64esk12@corp.example'), 409, 'taken');

my $web = IMS::Browser->open(token => $jwt->token('usip:desk12@corp.example',
    ims => { impu => 'sip:desk12@corp.example' }));
is($web->register()->{code}, 200, 'registered');
unlike(join("\n", map { $_->[1] } @{($core->seen('REGISTER'))[-1]->{headers}}),
    qr/!/, 'the wildcard is not sent');
