#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Two tenants of one nginx, with a login, a pool and a core each: nothing of
# one is seen, used or ended by the other, though both have a user "mary". And
# two logins that share a pool.

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
use Test::Nginx qw/ http port /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(38);

# the keys of B, then those of A in the place where they are looked for

my %iss = (a => 'https://login.acme.example', b => 'https://id.beta.example');
my %jwt;

for my $who (qw/ b a /) {
    $jwt{$who} = IMS::JWT->new($t);
    $t->write_file("$who.jwks", $t->read_file('login.jwks'));
    chmod 0600, $t->testdir() . "/$who.jwks";
}

$t->write_file_expand('nginx.conf', ims_conf(workers => 2,
    http => <<'EOC', server => <<'EOS'));
    ims_portal_core beta {
        listen 127.0.0.1:%%PORT_8983_UDP%% udp;
        server 127.0.0.1:%%PORT_8984_UDP%%;
        home_domain ims.beta.example;
        register trusted;
    }

    ims_portal_pool beta zone=beta:1m core=beta {
        identity sip:b[001-200]@beta.ims.example;
    }

    server {
        listen 127.0.0.1:8082;

        ims_portal_jwt $cookie_ims_session;
        ims_portal_jwt_key file=%%TESTDIR%%/b.jwks;
        ims_portal_jwt_issuer https://id.beta.example;
        ims_portal_jwt_audience ims-portal;
        ims_portal_plain_ws on;
        ims_portal_origin any;
        ims_portal_grace 500ms;

        location = /ims/sip { ims_portal beta; }
        location = /ims/session { ims_portal_session beta; }
        location = /ims/revoke { ims_portal_revocation beta; }

        location = /bearer {
            ims_portal beta;
            ims_portal_auth sip;
        }

        # the users of B, and the numbers of A

        location = /guests {
            ims_portal_session acme;
        }
    }
EOC
        location = /ims/revoke { ims_portal_revocation acme; }

        location = /bearer {
            ims_portal acme;
            ims_portal_auth sip;
        }
EOS
$t->run();

my %port = (a => port(8080), b => port(8082));
my %core = (
    a => IMS::Core->new()->registrar(),
    b => IMS::Core->new(port => port(8984, udp => 1),
        portal => port(8983, udp => 1))->registrar(),
);

sub token {
    my ($who, $user) = @_;

    return $jwt{$who}->token($user || 'mary', iss => $iss{$who});
}

sub api {
    my ($method, $at, $token, $path) = @_;

    return IMS::Browser::api($method, port => $port{$at}, token => $token,
        ($path ? (path => $path) : ()));
}

sub browser {
    my ($at, %o) = @_;

    return IMS::Browser->connect(port => $port{$at}, path => $o{path},
        cookie => "ims_session=$o{token}") if !$o{impu};

    no warnings 'redefine';
    local *IMS::Browser::port = sub { $port{$at} };

    return IMS::Browser->open(lease => 0, %o);
}

# two users of one name

my %impu;

for my $who (qw/ a b /) {
    my $r = api('POST', $who, token($who));

    is($r->{status}, 201, "mary of $who");
    $impu{$who} = $r->{json}{identity};
}

like($impu{a}, qr/\@acme\.ims\.operator\.example$/, 'of one pool');
like($impu{b}, qr/\@beta\.ims\.example$/, 'and of the other');

# a token of one is nothing at the other, whatever it says of its issuer

for my $pair ([ qw/ a b / ], [ qw/ b a / ]) {
    my ($from, $to) = @$pair;
    my $forged = $jwt{$from}->token('mary', iss => $iss{$to});

    is(api($_, $to, token($from))->{status}, 401, "$_, $from at $to")
        for qw/ GET POST /;
    is(api('POST', $to, $forged)->{status}, 401, "$from as $to");
    is(browser($to, token => token($from), path => '/ims/sip')->{status}, 401,
        "handshake, $from at $to");

    my $web = browser($to, path => '/bearer', impu => $impu{$to});

    is($web->register(headers => [ Authorization => "Bearer $_" ])->{code},
        401, "SIP, $from at $to") for token($from), $forged;
}

# both register, each at its core

my %mary = map { $_ => browser($_, token => token($_), path => '/ims/sip',
    impu => $impu{$_}) } qw/ a b /;

is($mary{$_}->register()->{code}, 200, "$_ registers") for qw/ a b /;

for my $who (qw/ a b /) {
    my @seen = map { IMS::SIP::uri_of($_->h('To')) }
        $core{$who}->seen('REGISTER');

    is(scalar(grep { $_ ne $impu{$who} } @seen), 0, "core of $who: its own");
}

is($mary{b}->register(to => $impu{a})->{code}, 403,
    'the identity of the other');

# status: apart

my %pool = map { $_->{name} => $_ }
    @{IMS::Browser::api('GET', path => '/ims/status')->{json}{pools}};

is(join(' ', map { "$pool{$_}{leased} $pool{$_}{bindings}" }
    qw/ acme beta /), '1 1 1 1', 'counted apart');

# a flow token of A, at the socket of B's core and from its server

my $stolen = $core{a}{registered}{$impu{a}};

for my $o ({ uri => $stolen->{contact}, route => '' },
    { uri => $impu{b}, route => $stolen->{path} })
{
    $core{b}->terminating('MESSAGE', to => $impu{a}, body => 'hi', %$o);
    like($core{b}->final('MESSAGE')->{code}, qr/^40[34]$/, 'is none');
}

ok($mary{a}->none('MESSAGE', 0.2), 'she hears nothing');
$core{a}->terminating('MESSAGE', to => $impu{a}, body => 'hi');
ok($mary{a}->expect('MESSAGE'), 'but from her core');

# a call to the other's identity is the core's affair

$mary{b}->start('MESSAGE', to => $impu{a}, body => 'hi');
ok($core{b}->expect('MESSAGE'), 'to the other: by her own core');
ok($mary{a}->none('MESSAGE', 0.2), 'not past it');

# two logins, one pool: the same name is another user

my $r = api('POST', 'b', token('b'), '/guests');

is($r->{status}, 201, 'another user');
like($r->{json}{identity}, qr/\@acme\.ims\.operator\.example$/, 'of the pool');
isnt($r->{json}{identity}, $impu{a}, 'with another identity');
is(api('GET', 'a', token('a'))->{json}{identity}, $impu{a}, 'each its own');

# what is revoked at one

sub revoke {
    my ($at, $form) = @_;

    return http("POST /ims/revoke HTTP/1.0\x0d\x0aHost: localhost\x0d\x0a"
        . 'Content-Length: ' . length($form) . "\x0d\x0a"
        . "Content-Type: application/x-www-form-urlencoded\x0d\x0a\x0d\x0a"
        . $form, socket => IO::Socket::INET->new(Proto => 'tcp',
            PeerAddr => "127.0.0.1:$port{$at}"))
        =~ m!^HTTP/1.\d (\d+)! ? $1 : 'none';
}

my %old = map { $_ => token($_) } qw/ a b /;

is(revoke('a', "iss=$iss{a}&sub=mary"), 204, 'mary of a is revoked');
is($mary{a}->closed(3), 4403, 'her socket ends');
is(api('POST', 'a', $old{a})->{status}, 401, 'her token, too');
ok($mary{b}->is_open(), 'that of b stays');
is(api('GET', 'b', $old{b})->{json}{identity}, $impu{b}, 'and her token');
is(api('GET', 'b', $old{b}, '/guests')->{status}, 200,
    'and who shares the pool');

# the last tests are its own

undef $t;
