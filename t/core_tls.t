#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The core by TLS: both ends show a certificate, the portal looks at the name,
# and says which it wants (SE-20, RFC 5922).

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

my $t = Test::Nginx->new()->has(qw/ http /)->plan(23);

my $jwt = IMS::JWT->new($t);
my $ca = IMS::Cert->authority($t, 'ca');
my $other = IMS::Cert->authority($t, 'other');

$ca->sign('portal', [ IP => '127.0.0.1' ]);

my %mutual = (SSL_ca_file => $ca->{file}, SSL_session_id_context => 'core',
    SSL_verify_mode => 0x03);
my %good = (%mutual, $ca->sign('core', [ DNS => 'core.operator.example' ]));
my %name = (%mutual, $ca->sign('name', [ DNS => 'other.operator.example' ]));
my %forged = (%mutual,
    $other->sign('forged', [ DNS => 'core.operator.example' ]));

$t->write_file_expand('nginx.conf', ims_conf(
    listen_ims => '127.0.0.1:%%PORT_8980%% ssl',
    server_ims => '127.0.0.1:%%PORT_8981%% transport=tls max_fails=0',
    core => <<'EOC'));
        ssl_certificate %%TESTDIR%%/portal.pem;
        ssl_certificate_key %%TESTDIR%%/portal.key;
        ssl_trusted_certificate %%TESTDIR%%/ca.pem;
        ssl_name core.operator.example;
        ssl_protocols TLSv1.2 TLSv1.3;
        timeout 2s;
EOC
$t->run();

my $core = IMS::Core->new(transport => 'tls', ssl => { %good })->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));

is($mary->register()->{code}, 200, 'registered');

my ($reg) = $core->seen('REGISTER');
my $conn = $core->{conns}[0];

like($reg->h('Via'), qr!^SIP/2\.0/TLS 127\.0\.0\.1:\d+;!, 'Via says TLS');
like($reg->h('Path'), qr/transport=tls/, 'and Path');
is($conn->{sock}->get_servername(), 'core.operator.example', 'SNI');
is($conn->{sock}->peer_certificate('commonName'), 'portal',
    'our certificate');

$mary->start('MESSAGE', body => 'up');
$core->reply($core->expect('MESSAGE'), 200, 'OK');
is($mary->final('MESSAGE')->{code}, 200, 'up');

$core->terminating('MESSAGE', to => $mary->{impu}, body => 'down');
my $msg = $mary->expect('MESSAGE');
is($msg->{body}, 'down', 'down on a connection of the core');
$mary->reply($msg, 200, 'OK');
is($core->final('MESSAGE')->{code}, 200, 'answered');
is($core->{accepted}, 1, 'one connection of ours');

# another connection goes on with the session

sub fresh {
    my (%ssl) = @_;

    $core->hang_up();
    IMS::Loop::pause(0.1);
    $core->{ssl} = { %ssl };
    $mary->start('MESSAGE', body => 'x');
    my $msg = $core->expect('MESSAGE', 2);
    $core->reply($msg, 200, 'OK') if $msg;

    return $mary->final('MESSAGE')->{code};
}

is(fresh(%good), 200, 'connected again');

my $ctx = IO::Socket::SSL::SSL_Context->new({ SSL_server => 1, %good });

is(fresh(SSL_reuse_ctx => $ctx), 200, 'and again');
is(fresh(SSL_reuse_ctx => $ctx), 200, 'and once more');
ok($core->{conns}[0]{sock}->get_session_reused(), 'session resumed');

# whom the portal does not believe

is(fresh(%name), 503, 'another name is refused');
like($t->read_file('error.log'), qr/does not match "core\.operator\.example"/,
    'and that is said');
is(fresh(%forged), 503, 'so is another authority');
like($t->read_file('error.log'), qr/certificate verify error/,
    'and that is said');
is(fresh(%good), 200, 'good again');

# who may come in

sub options {
    my (%ssl) = @_;

    my $conn = $core->dial(ssl => { SSL_verify_mode => 0, %ssl }) or return 0;

    $conn->write("OPTIONS sip:portal SIP/2.0\r\n"
        . "Via: SIP/2.0/TLS 127.0.0.1;branch=" . IMS::SIP::unique('z9hG4bK')
        . "\r\nFrom: <sip:a\@b>;tag=1\r\nTo: <sip:portal>\r\nCall-ID: "
        . IMS::SIP::unique('o') . "\r\nCSeq: 1 OPTIONS\r\n"
        . "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n");

    IMS::Loop::wait_for(sub { @{$core->{queue}} || $conn->{eof} }, 3);

    return $core->expect('200 OPTIONS', 0.1)->{code} || 0;
}

is(options(%good), 200, 'a certificate of the authority is heard');
is(options(), 0, 'none is not');
like($t->read_file('error.log'), qr/core sent no SSL certificate/,
    'and that is said');
is(options(SSL_cert_file => $forged{SSL_cert_file},
    SSL_key_file => $forged{SSL_key_file}), 0, 'nor is one of another');
is(fresh(%good), 200, 'all else goes on');

$mary->close();
