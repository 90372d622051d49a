#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A refresh that the core refuses for good: the page is told by a close code,
# and whether it should try again.

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

my $t = Test::Nginx->new()->has(qw/ http /)->plan(5);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf());

$t->run();

my $core = IMS::Core->new()->registrar(expires => 6);

sub refused_with {
    my ($user, $code) = @_;

    my $page = IMS::Browser->open(token => $jwt->token($user));
    is($page->register()->{code}, 200, "$user registered");

    $core->{on}{REGISTER} = sub { $_[0]->reply($_[1], $code, 'No') };
    my $close = $page->closed(12);

    $core->registrar(expires => 6);

    return $close;
}

is(refused_with('mary', 403), 4403, 'refused: no further try');

# the page can come back

my $again = IMS::Browser->open(token => $jwt->token('mary'));
is($again->register()->{code}, 200, 'registered again');
$again->close(1000);

is(refused_with('john', 480), 1013, 'not now: try again later');
