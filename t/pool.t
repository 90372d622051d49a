#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The pool: each user one identity of its own, sticky, and no more than there
# are.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::JWT;
use Time::HiRes qw/ sleep /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(21);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    identity => 'sip:u[007-009]@acme.ims.operator.example '
        . 'impi=$user@ims.operator.example',
    quarantine => '10m',
    workers => 2,
    http => <<'EOC',
    ims_portal_pool short zone=short:1m core=operator {
        identity sip:s1@acme.ims.operator.example impi=s@ims.operator.example;
        lease 1s;
        quarantine 1s;
    }
EOC
    server => <<'EOC'));
        location = /short {
            ims_portal_session short;
        }
EOC

$t->run();

my %token = map { $_ => $jwt->token($_) } qw/ mary bob carol dave /;

sub post {
    my ($user, @more) = @_;

    return IMS::Browser::api('POST', token => $token{$user}, @more);
}

# all of them, none twice

my %got = map { $_ => post($_)->{json}{identity} } qw/ mary bob carol /;

is_deeply([ sort values %got ], [ map {
    "sip:u00$_\@acme.ims.operator.example" } 7 .. 9 ], 'three identities');

# sticky

for my $round (1 .. 3) {
    is(post($_)->{json}{identity}, $got{$_}, "$_ again, $round")
        for qw/ mary bob carol /;
}

# exhausted

my $r = post('dave');

is($r->{status}, 503, 'exhausted');
like($r->{head}, qr/^Retry-After: \d+/mi, 'when to try again');
is($r->{json}{status}, 503, 'as problem');
like($t->read_file('error.log'), qr/\[(warn|error|crit)\].*"acme"/,
    'told in the log');

# over a reload

my $pids = sub { return () = $t->read_file('error.log') =~ /gracefully/g };
my $before = $pids->();

$t->reload();

for (1 .. 100) {
    last if $pids->() > $before;
    sleep 0.05;
}

is(post($_)->{json}{identity}, $got{$_}, "$_ after a reload")
    for qw/ mary bob carol /;
is(post('dave')->{status}, 503, 'exhausted after a reload');

# a lease ends, rests, and goes to who needs it

is(post('mary', path => '/short')->{status}, 201, 'short lease');
is(post('bob', path => '/short')->{status}, 503, 'taken');

for (1 .. 60) {
    sleep 0.1;
    $r = post('bob', path => '/short');
    last if $r->{status} == 201;
}

is($r->{status}, 201, 'free after lease and quarantine');
