#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Identities that are kept for named users: he gets his, nobody else does.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::JWT;
use IMS::Loop;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(16);

my $jwt = IMS::JWT->new($t);

sub conf {
    my ($reserve) = @_;

    $t->write_file_expand('nginx.conf', ims_conf(
        identity => 'sip:u[1-6]@acme.example',
        server => 'ims_portal_claim identity ims_impu;',
        pool => "quarantine 1s; $reserve"));
}

conf('reserve user=boss issuer=https://login.acme.example '
    . 'identity=sip:u1@acme.example; '
    . 'reserve user=other issuer=https://elsewhere.example '
    . 'identity=sip:u2@acme.example; reserve file=reserved;');

$t->write_file('reserved', "# who has which\n"
    . "a user of ours  sip:u3\@ACME.example\r\n");

sub lease {
    my ($user, $identity, %more) = @_;

    my $r = IMS::Browser::api('POST', token => $jwt->token($user,
        ims_impu => $identity, %more));

    return $r->{json}{identity} // $r->{status};
}

$t->run();

is(lease('mary'), 'sip:u4@acme.example', 'the first that is not kept');
is(lease('boss'), 'sip:u1@acme.example', 'his');
is(lease('a user of ours'), 'sip:u3@acme.example', 'his, by the file');
is(lease('other'), 'sip:u5@acme.example', 'of another issuer');
is(lease('bob', 'sip:u2@acme.example'), 403, 'not by name');
is(lease('boss', 'sip:u2@acme.example'), 403, 'not for another boss');
is(lease('boss', 'sip:u1@acme.example'), 'sip:u1@acme.example',
    'his, by name');
is(lease('bob'), 'sip:u6@acme.example', 'the last one');
is(lease('carol'), 503, 'what is kept is none for others');

# another configuration

sub reload {
    my $said = 'gracefully shutting down';
    my $n = () = $t->read_file('error.log') =~ /$said/g;

    $t->reload();
    ok(IMS::Loop::wait_for(sub {
        my $now = () = $t->read_file('error.log') =~ /$said/g;
        return $now > $n;
    }, 5), 'reloaded');
}

conf('reserve user=carol identity=sip:u4@acme.example;');
reload();

is(lease('carol'), 'sip:u2@acme.example', 'hers is taken: another one');
is(lease('boss'), 'sip:u1@acme.example', 'what he has is his');
is(lease('mary'), 503, 'mary had one that is kept for carol now');

my $got;

IMS::Loop::wait_for(sub {
    IMS::Loop::pause(0.1);
    return ($got = lease('carol')) eq 'sip:u4@acme.example';
}, 5);

is($got, 'sip:u4@acme.example', 'when it is free, carol moves');

IMS::Loop::wait_for(sub {
    IMS::Loop::pause(0.1);
    return ($got = lease('mary')) ne '503';
}, 5);

is($got, 'sip:u2@acme.example', 'and mary gets what carol had');
is(lease('dave', 'sip:u4@acme.example'), 403, 'not by name');

# a sub holds it: the two tests of its own come now, not too late

undef $t;
