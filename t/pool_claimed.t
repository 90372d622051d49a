#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Identities that tokens name, within a domain: each of one user, however it is
# spelled, and nothing outside.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use Time::HiRes qw/ sleep /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(36);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(workers => 2,
    identity => 'sip:u[1-3]@acme.example; '
        . 'claim=ims_impu domain=staff.acme.example; '
        . 'claim=ims_impu domain=Branch.example subdomains '
        . 'impi=$user.branch@ims.operator.example',
    pool => 'local_calls on;', lease => '2s', quarantine => '2s'));

sub lease {
    my ($user, $identity, %more) = @_;

    my $r = IMS::Browser::api('POST', token => $jwt->token($user,
        ims_impu => $identity, %more));

    return $r->{json}{identity} // $r->{status};
}

$t->run();

my $core = IMS::Core->new()->registrar();
my $name = 'sip:mary@staff.acme.example';

is(lease('mary', $name), $name, 'named by the token');
is(lease('mary', $name), $name, 'again');
is(lease('mary'), $name, 'and without a name');
is(lease('mary', 'sip:%6d%61ry@STAFF.acme.example'), $name,
    'in another spelling');

is(lease('bob', $_), 409, "taken: $_")
    for $name, 'sip:mary@Staff.ACME.example', 'sip:%6dary@staff.acme.example',
        'sip:m%61r%79@staff.acme.example';

is(lease('bob', 'sip:Mary@staff.acme.example'),
    'sip:Mary@staff.acme.example', 'a user part has its case');

# outside

is(lease('eve', $_), 403, "not ours: $_")
    for 'sip:eve@acme.example', 'sip:eve@staff.acme.example.evil.example',
        'sip:eve@evilstaff.acme.example', 'sip:eve@x.staff.acme.example',
        'sips:eve@staff.acme.example', 'sip:staff.acme.example',
        'sip:eve:pw@staff.acme.example', 'sip:eve@staff.acme.example:5060',
        'sip:eve@staff.acme.example.', 'tel:+15550100',
        'sip:eve@branch.example.evil.example', 'sip:eve@xbranch.example',
        'sip:eve@.branch.example', 'mailto:eve@staff.acme.example',
        'sip:e;v=e@staff.acme.example', 'sip:e<>@staff.acme.example',
        "sip:eve\@staff.acme.example\r\nX: y", 'sip:eve@';

# subdomains

is(lease('zoe', 'sip:zoe@branch.example'), 'sip:zoe@branch.example',
    'the domain itself');
is(lease('zed', 'sip:zed@a.b.branch.example'), 'sip:zed@a.b.branch.example',
    'below it');

# a configured one, by name

is(lease('carl', 'sip:u2@acme.example'), 'sip:u2@acme.example', 'a range');
is(lease('dora', 'sip:u2@acme.example'), 409, 'taken');
is(lease('dora'), 'sip:u1@acme.example', 'without a name');

# registered, and called

my $mary = IMS::Browser->open(token => $jwt->token('mary', ims_impu => $name));
is($mary->register()->{code}, 200, 'registered');
like(($core->seen('REGISTER'))[-1]->h('To'), qr/<$name>/, 'upstream');

my $carl = IMS::Browser->open(token => $jwt->token('carl'));
$carl->register();

$carl->start('MESSAGE', to => 'sip:m%61ry@STAFF.acme.example', body => 'hi',
    headers => [ 'Content-Type' => 'text/plain' ]);
$mary->reply($mary->expect('MESSAGE'), 200, 'OK');
is($carl->final('MESSAGE')->{code}, 200, 'called, in any spelling');

# given up, rested, and somebody else's

my $got;

for (1 .. 60) {
    sleep 0.1;
    $got = lease('bill', 'sip:zoe@branch.example');
    last if $got ne '409';
}

is($got, 'sip:zoe@branch.example', 'another user has it');
