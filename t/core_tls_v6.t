#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The core by TLS over IPv6, known by its address alone: whom the portal
# believes in both directions, and that nothing is left of those it does not.

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
use IMS::SIP;
use IO::Socket::IP;
use Test::Nginx qw/ port /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

eval { require IO::Socket::SSL; require IMS::Cert; };
plan(skip_all => 'IO::Socket::SSL not installed') if $@;

plan(skip_all => 'no ::1 here')
    unless IO::Socket::IP->new(Listen => 1, LocalHost => '::1');

my $t = Test::Nginx->new()->has(qw/ http /)->plan(27);

my $jwt = IMS::JWT->new($t);
my $ca = IMS::Cert->authority($t, 'ca');
my $now = time();

$ca->sign('portal', [ IP => '::1' ]);

my %mutual = (SSL_ca_file => $ca->{file}, SSL_session_id_context => 'core',
    SSL_verify_mode => 0x03, SSL_verifycn_scheme => 'none');
my %ssl = (
    good => { $ca->sign('core', [ IP => '::1' ]) },
    address => { $ca->sign('address', [ IP => '::2' ]) },
    name => { $ca->sign('name', [ DNS => '::1' ], [ DNS => 'localhost' ]) },
    expired => { $ca->sign('expired', [ IP => '::1' ],
        not_before => $now - 7200, not_after => $now - 3600) },
    early => { $ca->sign('early', [ IP => '::1' ],
        not_before => $now + 3600, not_after => $now + 7200) },
    self => { IMS::Cert->own($t, 'self', [ IP => '::1' ]) },
    server => { $ca->sign('server', [ IP => '::1' ], purpose => 'server') },
);

$t->write_file_expand('nginx.conf', ims_conf(
    listen_ims => '[::1]:%%PORT_8980%% ssl',
    server_ims => '[::1]:%%PORT_8981%% transport=tls max_fails=0',
    core => <<'EOC', sip => 'access_log %%TESTDIR%%/pid.log pid;',
        ssl_certificate %%TESTDIR%%/portal.pem;
        ssl_certificate_key %%TESTDIR%%/portal.key;
        ssl_trusted_certificate %%TESTDIR%%/ca.pem;
        timeout 1s;
EOC
    http => 'log_format pid "$pid";'));
$t->run();

my $core = IMS::Core->new(transport => 'tls', addr => '::1',
    ssl => { %mutual, %{$ssl{good}} })->registrar();

$core->{on}{MESSAGE} = sub { $_[0]->reply($_[1], 200, 'OK') };

my $mary = IMS::Browser->open(token => $jwt->token('mary'));
my $edge = '[::1]:' . port(8980);

is($mary->register()->{code}, 200, 'registered');

my ($reg) = $core->seen('REGISTER');

like($reg->h('Via'), qr!^SIP/2\.0/TLS \Q$edge\E;!, 'Via');
like($reg->h('Path'), qr/\@\Q$edge\E;transport=tls;lr/, 'Path');
is($core->{conns}[0]{sock}->get_servername() || '', '',
    'an address is no server name');

$core->terminating('MESSAGE', to => $mary->{impu}, body => 'down');
$mary->reply($mary->expect('MESSAGE'), 200, 'OK');
is($core->final('MESSAGE')->{code}, 200, 'on a connection of the core, too');

sub fds {
    my ($pid) = $t->read_file('pid.log') =~ /^(\d+)/m;

    return scalar(() = glob "/proc/$pid/fd/*");
}

sub said { return $t->read_file('error.log') =~ /$_[0]/ ? 1 : 0 }

# a request upwards, when the core has that certificate

sub up {
    my (%o) = @_;

    $core->hang_up();
    IMS::Loop::pause(0.1);
    $core->{ssl} = { %mutual, %o };

    return $mary->ask('MESSAGE', body => 'x')->{code};
}

is(up(%{$ssl{good}}), 200, 'connected again');

# what the core shows must be of the address, valid now, and of the authority

my $fds = fds();

is(up(%{$ssl{address}}), 503, 'another address is refused');
is(up(%{$ssl{name}}), 503, 'so are names only');
ok(said(qr/does not match "::1"/), 'and that is said');
is(up(%{$ssl{expired}}), 503, 'so is one that has expired');
ok(said(qr/\(10:certificate has expired\)/), 'and that is said');
is(up(%{$ssl{early}}), 503, 'or is not valid yet');
is(up(%{$ssl{self}}), 503, 'or has signed itself');
ok(said(qr/self.signed certificate/), 'and that is said');

# one that was refused is not believed because the session goes on

my $ctx = IO::Socket::SSL::SSL_Context->new({ SSL_server => 1, %mutual,
    %{$ssl{expired}} });

is(up(SSL_reuse_ctx => $ctx), 503, 'expired');
is(up(SSL_reuse_ctx => $ctx), 503, 'and refused again with its session');

# who comes in

sub options {
    my (%o) = @_;

    my $conn = $core->dial(ssl => { SSL_verify_mode => 0, %o }) or return 0;

    $conn->write("OPTIONS sip:portal SIP/2.0\r\n"
        . "Via: SIP/2.0/TLS [::1];branch=" . IMS::SIP::unique('z9hG4bK')
        . "\r\nFrom: <sip:a\@b>;tag=1\r\nTo: <sip:portal>\r\nCall-ID: "
        . IMS::SIP::unique('o') . "\r\nCSeq: 1 OPTIONS\r\n"
        . "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n");

    IMS::Loop::wait_for(sub { @{$core->{queue}} || $conn->{eof} }, 3);

    my $answer = $core->expect('200 OPTIONS', 0.05);

    return $answer ? $answer->{code} : 0;
}

is(options(%{$ssl{good}}), 200, 'a good one is heard');
is(options(), 0, 'none is not');
is(options(%{$ssl{expired}}), 0, 'nor one that has expired');
is(options(%{$ssl{early}}), 0, 'nor one not valid yet');
is(options(%{$ssl{self}}), 0, 'nor one of nobody');
is(options(%{$ssl{server}}), 0, 'nor one that is for servers only');

# a handshake that never begins, or is nonsense

my @silent = map { IO::Socket::IP->new(PeerHost => '::1',
    PeerPort => port(8980)) } 1 .. 3;

$silent[1]->syswrite("OPTIONS sip:portal SIP/2.0\r\n\r\n");
ok(IMS::Loop::wait_for(sub { said(qr/wrong version number|http request/) }, 2),
    'SIP without TLS is refused');
ok(IMS::Loop::wait_for(sub { 3 == grep { $_->blocking(0);
    defined $_->sysread(my $buf, 1000) } @silent }, 4),
    'and one that says nothing, in time');

is(up(%{$ssl{good}}), 200, 'all else goes on');

IMS::Loop::pause(0.2);
$_->close() for @silent;
cmp_ok(fds(), '<=', $fds + 1, 'no descriptor is left');
ok(!said(qr/ignoring stale global SSL error/), 'nor an error of OpenSSL');

$mary->close();

# a sub holds it: the two tests of its own come now, not too late

undef $t;
