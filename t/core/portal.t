#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The portal on the real core, in each of its ways to register and to reach it:
# a browser registers, sends a message to a far end and receives one, leaves.

use warnings;
use strict;

use File::Basename qw(dirname);
use FindBin;
use Test::More;

use lib dirname(__FILE__);
use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/../lib",
    "$FindBin::Bin/../lib";

use Edge;
use IMS::Browser;
use IMS::Conf;
use IMS::JWT;
use Test::Nginx qw/ port /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $home = 'ims.operator.example';
my $t = Test::Nginx->new()->has(qw/ http /);
my $jwt = IMS::JWT->new($t);
my $secrets = $t->testdir() . '/secrets';

$t->write_file('secrets', <<"END");
acme-pool-1\@$home password secret
card\@$home aka K=465b5ce8b199b49faa5f0a2ee238a6bc OPC=cd63cb71954a9f4e48a5994e37a02baf
END
chmod 0600, $secrets;

my %block = (identity => "sip:u[001-020]\@acme.$home impi=acme-pool-1\@$home");
my %digest = (register => "digest secrets=$secrets");

# name, environment of the core, parts of the configuration

my @ways = (
    ['trusted', {}, { %block }],
    ['digest', {}, { %block, %digest }],
    ['AKA', {}, { %digest, identity => "sip:card\@$home impi=card\@$home" }],
    ['block', {}, {
        identity => "sip:desk[01-05]\@desk.$home impi=desk\@$home",
        pool => "register_block sip:desk\@desk.$home impi=desk\@$home "
            . 'profile_key=auto;' }],
    ['TCP', { TRANSPORT => 'tcp', EDGE => '127.0.0.1:' . port(8990) },
        { %block, listen_ims => '127.0.0.1:%%PORT_8990%% tcp' }],
    ['TLS', { TRANSPORT => 'tls', EDGE => '127.0.0.1:' . port(8990) },
        { %block, listen_ims => '127.0.0.1:%%PORT_8990%% ssl',
            core => 'ssl_certificate CORE/client.pem;'
                . ' ssl_certificate_key CORE/client.key;'
                . ' ssl_trusted_certificate CORE/ca.pem;'
                . " ssl_verify on; ssl_name core.$home;" }],
    ['IPv6', { host => '::1', EDGE => '[::1]:' . port(8980, udp => 1) },
        { %block, listen_ims => '[::1]:%%PORT_8980_UDP%% udp' }],
);

my ($core, $as);

for my $way (@ways) {
    my ($name, $env, $conf) = @$way;
    my $transport = $env->{TRANSPORT};

    if (!$core || $as ne join ' ', %$env) {
        $core->stop() if $core;
        $as = join ' ', %$env;
        $core = Edge->new(TRANSPORT => 'udp',
            EDGE => '127.0.0.1:' . port(8980, udp => 1), %$env);
    }

    $t->write_file_expand('nginx.conf', ims_conf(%$conf,
        server_ims => "$core->{uri}:$core->{port}"
            . ($transport ? " transport=$transport" : ''))
        =~ s/CORE\//$core->{dir}\//gr);
    $t->run();
    works($name, IMS::Browser->open(token => $jwt->token('mary')));
    $t->stop();
}

done_testing();

###############################################################################

sub works {
    my ($name, $mary) = @_;
    my $impu = $mary->{impu};
    my $farend = $core->{farend};

    is($mary->register()->{code}, 200, "$name: registered as $impu");
    is(scalar $core->core('contacts'), 1, "$name: one binding");

    $mary->start('MESSAGE', to => "sip:9197\@$home", body => 'up');
    my $r = Edge::receive($farend, qr/^MESSAGE .*up$/s);
    is(Edge::header($r, 'P-Asserted-Identity'), "<$impu>",
        "$name: a message up");
    $core->answer($farend, $r, '200 OK') if $r;
    is($mary->final('MESSAGE')->{code}, 200, "$name: its answer");

    $core->send_to_core($farend, $core->request($farend, 'MESSAGE', $impu,
        From => "<sip:alice\@$home>;tag=a$name", To => "<$impu>",
        'Content-Type' => 'text/plain', _body => 'down'));
    $r = $mary->expect('MESSAGE');
    is($r->{body}, 'down', "$name: a message down");
    $mary->reply($r, 200, 'OK') if $r->{body} eq 'down';
    is(Edge::status(Edge::receive($farend, qr/^SIP\/2.0 [2-6]/)), 200,
        "$name: its answer");

    is($mary->register(expires => 0)->{code}, 200, "$name: left");
}
