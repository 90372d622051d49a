#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A call for a user who has no Contact of its own at the core, because the pool
# registers its block: it waits for a browser that is away as any other does.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ hang_up sdp_body /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IMS::Outlive qw/ vanish /;
use IMS::SDP qw/ ims_sdp web_sdp /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(8);

my $jwt = IMS::JWT->new($t);
my $main = 'sip:main@acme.ims.operator.example';
my $wild = 'sip:u!.*!@acme.ims.operator.example';

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock', grace => 3 * $IMS::Loop::SLOW . 's',
    t1 => 50 * $IMS::Loop::SLOW . 'ms',
    pool => "register_block $main impi=acme\@ims.operator.example;"));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');
my $core = IMS::Core->new()->registrar(headers => [
    'P-Associated-URI' => "<$wild>" ]);

$t->run();

my %mary = (token => $jwt->token('mary'), instance => '1-2-3',
    host => 'mary.invalid');
my $mary;

sub back {
    $mary = IMS::Browser->open(%mary);

    return $mary->register()->{code};
}

IMS::Loop::wait_for(sub { $core->{registered}{$main} }, 3);
ok(IMS::Loop::wait_for(sub { back() == 200 }, 3), 'registered');

sub down {
    my ($method, %o) = @_;
    my $r = $core->{registered}{$main};

    return $core->terminating($method, %o, to => $mary->{impu},
        uri => $r->{contact}, route => $r->{path});
}

vanish($t, $mary);

my $sent = down('INVITE', sdp_body(ims_sdp()));
ok($core->none('480', 0.3), 'the call waits');
is(back(), 200, 'back');
my $seen = $mary->expect('INVITE');
like($seen->{body}, qr/SAVPF/, 'it rings');
$mary->reply($seen, 200, 'OK', headers => [ Contact => $mary->contact(),
    'Content-Type' => 'application/sdp' ], body => web_sdp(setup => 'active'));
my $ok = $core->final('INVITE');
is($ok->{code}, 200, 'answered');
my $far = $core->dialog($sent, $ok, 1);
$core->within($far, 'ACK');
$mary->expect('ACK');
is(hang_up($core, $far, $mary), 200, 'hung up');

vanish($t, $mary);
down('MESSAGE', body => 'x');
is($core->final('MESSAGE', 4)->{code}, 480, 'never back: 480');
IMS::Loop::pause(2);
down('MESSAGE', body => 'y');
is($core->final('MESSAGE', 1)->{code}, 480, 'after the grace time: at once');
