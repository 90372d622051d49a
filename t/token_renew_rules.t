#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A token that one location took extends no socket of another one that asks for
# more, or for the key of another login; what that one took does.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(24);

my $jwt = IMS::JWT->new($t);

# what a strict location wants, each of another kind

my %strict = (
    scope => 'ims_portal_jwt_scope calls;',
    claim => 'ims_portal_jwt_require $ims_portal_claim_staff;',
    audience => 'ims_portal_jwt_audience ims-portal calls;',
    type => 'ims_portal_jwt_typ JWT;',
);

my %more = (scope => 'calls', staff => 1);

$t->write_file_expand('nginx.conf', ims_conf(workers => 2,
    server => 'ims_portal_jwt_leeway 0s; ' . join('', map { <<"EOC" }
        location = /$_ {
            ims_portal acme;
            $strict{$_}
        }

        location = /$_/session {
            ims_portal_session acme;
            $strict{$_}
        }
EOC
    sort keys %strict)));
$t->run();

my $core = IMS::Core->new()->registrar();
my $begun = time();

sub token {
    my ($user, $life, @claims) = @_;

    return $jwt->token($user, iat => $begun, exp => $begun + $life, %more,
        @claims);
}

my (%lax, %own, %other);

for (sort keys %strict) {
    $lax{$_} = IMS::Browser->open(token => token("lax-$_", 4));
    $other{$_} = IMS::Browser->open(token => token("other-$_", 4),
        path => "/$_");
    $own{$_} = IMS::Browser->open(token => token("own-$_", 4),
        path => "/$_");

    $_->register() for $lax{$_}, $other{$_}, $own{$_};
}

for (sort keys %strict) {
    is(IMS::Browser::api('PUT', token => token("lax-$_", 600))->{status}, 200,
        "$_: renewed where less is wanted");
    IMS::Browser::api('PUT', token => token("other-$_", 600));

    # what is longer, but of no use there, does not stand in the way

    IMS::Browser::api('PUT', token => token("own-$_", 600));
    is(IMS::Browser::api('PUT', token => token("own-$_", 60),
        path => "/$_/session")->{status}, 200, "$_: renewed where it is open");
}

for (sort keys %strict) {
    is($other{$_}->closed(6), 4401, "$_: a laxer place extends nothing here");
}

IMS::Loop::pause(1.2);

for (sort keys %strict) {
    ok($lax{$_}->is_open(), "$_: the lax socket lives");
    ok($own{$_}->is_open(), "$_: so does the strict one, by its own");
    is($own{$_}->register()->{code}, 200, "$_: and registers");
}
