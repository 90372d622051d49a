#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The certificate of one of two servers has expired: the other one is used, the
# log says which it is and why, and when it is renewed it is used again.

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
use Test::Nginx qw/ port /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

eval { require IO::Socket::SSL; require IMS::Cert; };
plan(skip_all => 'IO::Socket::SSL not installed') if $@;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(11);

my $jwt = IMS::JWT->new($t);
my $ca = IMS::Cert->authority($t, 'ca');

$ca->sign('portal', [ IP => '127.0.0.1' ]);

my %mutual = (SSL_ca_file => $ca->{file}, SSL_verify_mode => 0x03,
    SSL_session_id_context => 'core');
my @name = ([ DNS => 'core.operator.example' ]);
my %good = (%mutual, $ca->sign('good', @name));
my %expired = (%mutual, $ca->sign('expired', @name,
    not_before => time() - 86400 * 9, not_after => time() - 86400));

$t->write_file_expand('nginx.conf', ims_conf(
    listen_ims => '127.0.0.1:%%PORT_8980%% ssl',
    server_ims => '127.0.0.1:%%PORT_8981%% transport=tls fail_timeout=1s',
    core => <<'EOC'));
        server 127.0.0.1:%%PORT_8982%% transport=tls fail_timeout=1s;
        ssl_certificate %%TESTDIR%%/portal.pem;
        ssl_certificate_key %%TESTDIR%%/portal.key;
        ssl_trusted_certificate %%TESTDIR%%/ca.pem;
        ssl_name core.operator.example;
        probe 300ms timeout=300ms fails=1;
        timeout 2s;
EOC

my @core = map { IMS::Core->new(transport => 'tls', port => port($_),
    ssl => $_ == 8981 ? { %expired } : { %good })->registrar() } 8981, 8982;

$t->run();

my $mary = IMS::Browser->open(token => $jwt->token('mary'));

is($mary->register()->{code}, 200, 'registered');
is(scalar $core[0]->seen('REGISTER'), 0, 'not at the one that has expired');
is(scalar $core[1]->seen('REGISTER'), 1, 'but at the other');

# all browsers go there, none waits

my @codes = map { IMS::Browser->open(token => $jwt->token("user$_"))
    ->register()->{code} } 1 .. 6;

is("@codes", '200 200 200 200 200 200', 'so is everybody');

my $log = $t->read_file('error.log');
my $port = port(8981);

like($log, qr/certificate verify error.*expired/, 'the log has the reason');
like($log, qr/certificate verify error.*127\.0\.0\.1:$port/,
    'and the server');
like($log, qr/server "127\.0\.0\.1:$port" of ims core "operator" does not/,
    'which is down');
ok(!up(0), 'as the status says');

# it is renewed

$core[0]->{ssl} = { %good };
ok(IMS::Loop::wait_for(sub { up(0) }, 5), 'renewed: it is up');

for (1 .. 6) {
    my $web = IMS::Browser->open(token => $jwt->token("late$_"));
    $web->register();
    last if $core[0]->seen('REGISTER');
}

ok(scalar $core[0]->seen('REGISTER'), 'and used again');
is($mary->register()->{code}, 200, 'all goes on');

$mary->close();

sub up {
    my ($n) = @_;

    my $status = IMS::Browser::api('GET', path => '/ims/status')->{json};

    return $status->{cores}[0]{servers}[$n]{up};
}
