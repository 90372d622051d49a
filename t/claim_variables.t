#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Claims as variables: in conditions, in map, in headers and in the log, before
# and after the token was verified; never of a token that is refused.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::JWT;
use JSON::PP ();
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(25);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    http => <<'EOC',
    ims_portal_claim_set $camel phoneNumber;
    ims_portal_claim_set $dotted https://acme.example/roles;
    ims_portal_claim_set $deep a "b c" d;

    log_format claims '$status [$ims_portal_claim_role] [$camel] [$deep]';

    map $ims_portal_claim_role $allowed {
        default 0;
        ~\badmin\b 1;
    }
EOC
    sip => 'access_log %%TESTDIR%%/claims.log claims;',
    server => <<'EOC'));
        location = /headers {
            ims_portal_session acme;
            access_log %%TESTDIR%%/claims.log claims;
            add_header X-Role "<$ims_portal_claim_role>" always;
            add_header X-Deep "<$ims_portal_claim_a__x>" always;
            add_header X-Camel "<$camel>" always;
            add_header X-Dotted "<$dotted>" always;
            add_header X-Path "<$deep>" always;
            add_header X-Kinds "<$ims_portal_claim_n $ims_portal_claim_r
                $ims_portal_claim_t $ims_portal_claim_f>" always;
        }
        location = /if {
            ims_portal_session acme;
            if ($allowed = 0) {
                return 402;
            }
        }
        location = /elsewhere {
            add_header X-Role "<$ims_portal_claim_role>" always;
            return 204;
        }
        location = /around {
            ims_portal_jwt $ims_portal_claim_token $cookie_ims_session;
            ims_portal_session acme;
            add_header X-Role "<$ims_portal_claim_role>" always;
        }
        location = /other {
            ims_portal_session acme;
            ims_portal_jwt_audience another;
            if ($ims_portal_claim_role = clerk) {
                return 402;
            }
            try_files /none @first;
        }
        location @first {
            add_header X-Role "<$ims_portal_claim_role>" always;
            ims_portal_session acme;
        }
EOC
$t->run();

my %claims = (
    role => 'admin', phoneNumber => '+1555', n => 7, r => 2.5,
    t => JSON::PP::true(), f => JSON::PP::false(),
    a => { x => 'y', 'b c' => { d => [ 'p', 'q', 3, { no => 1 } ] } },
    'https://acme.example/roles' => [ 'one', 'two' ],
);

sub at {
    my ($path, %change) = @_;

    return IMS::Browser::api('GET', path => $path,
        token => $jwt->token('mary', %claims, %change));
}

sub header {
    my ($r, $name) = @_;

    return ($r->{head} =~ /^X-$name: (.*?)\r?$/m)[0];
}

my $r = at('/headers');

is(header($r, 'Role'), '<admin>', 'a claim');
is(header($r, 'Deep'), '<y>', 'of an object');
is(header($r, 'Camel'), '<+1555>', 'with capital letters');
is(header($r, 'Dotted'), '<one,two>', 'a list, and a name with dots');
is(header($r, 'Path'), '<p,q,3>', 'from object to member');
like($r->{head}, qr/^X-Kinds: <7 2\.5\s+true false>/m, 'numbers, booleans');

# what is not there, and a token that is refused

is(header(at('/headers', role => undef), 'Role'), '<>', 'absent');
is(header(at('/headers', role => ''), 'Role'), '<>', 'empty');
is(header(at('/headers', role => {}), 'Role'), '<>', 'an object');
is(header(at('/headers', exp => time() - 99), 'Role'), '<>', 'expired');
is(header(at('/headers', role => $_), 'Role'), '<>', 'two lines')
    for "a\r\nX-Evil: 1", "a\x{2028}b";
is(header(at('/headers', aud => 'x'), 'Role'), '<>', 'not for us');
is(header(IMS::Browser::api('GET', path => '/headers'), 'Role'), '<>',
    'no token');
is(header(at('/elsewhere'), 'Role'), '<>', 'not a location of the portal');
is(header(at('/around'), 'Role'), '<admin>', 'a token within itself');

# before the location handles the request

is(at('/if')->{status}, 404, 'if: allowed');
is(at('/if', role => 'clerk')->{status}, 402, 'if: not');
is(at('/if', exp => time() - 99)->{status}, 402, 'if: expired');

# one location's word on a token is not another's

$r = at('/other');

is($r->{status} . header($r, 'Role'), '404<admin>', 'judged anew');
$r = at('/other', aud => 'another');
is($r->{status} . header($r, 'Role'), '401<>', 'by either');
is(at('/other', aud => 'another', role => 'clerk')->{status}, 402,
    'and by the first');

# in the log, of a WebSocket, too

IMS::Browser->open(token => $jwt->token('mary', %claims,
    role => 'ad"min [x]'), lease => 0)->close();
$t->stop();

my @log = split /\n/, $t->read_file('claims.log');

is($log[0], '404 [admin] [+1555] [p,q,3]', 'session API');
is($log[4], '401 [-] [-] [-]', 'refused');
is($log[-1], '101 [ad\\x22min [x]] [+1555] [p,q,3]',
    'WebSocket, nothing but a text');

# the last tests are its own

undef $t;
