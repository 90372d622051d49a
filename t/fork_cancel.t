#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# What belongs to an INVITE finds it, however many browsers its user has by
# then, and though a CANCEL or an ACK does not say whom it is for (RFC 3261 9.1,
# 17.1.1.3; no P-Called-Party-ID).  Two workers.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ sdp_body /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IMS::SDP qw/ web_sdp ims_sdp /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(39);

my $jwt = IMS::JWT->new($t);
my $main = 'sip:main@acme.ims.operator.example';

$t->write_file_expand('nginx.conf', ims_conf(workers => 2,
    media => 'unix:%%TESTDIR%%/ng.sock',
    pool => "register_block $main impi=acme\@ims.operator.example; "
        . 'local_calls on;'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');
my $core = IMS::Core->new()->registrar();

$t->run();

sub browser {
    my ($user) = @_;

    my $browser = IMS::Browser->open(token => $jwt->token($user));

    IMS::Loop::wait_for(sub { $browser->register()->{code} == 200 }, 5);

    return $browser;
}

my ($mary, $bob) = map { browser($_) } qw/ mary bob /;

ok($_->{impu}, 'registered') for $mary, $bob;

# from the core, which names the user in the INVITE only

sub called {
    my $r = $core->{registered}{$main};

    return $core->terminating('INVITE', to => $mary->{impu},
        uri => $r->{contact}, route => $r->{path}, sdp_body(ims_sdp()));
}

sub cancel {
    my ($invite, @rings) = @_;

    for (@rings) {
        $_->[0]->reply($_->[1], 180, 'Ringing', headers => [
            Contact => $_->[0]->contact() ]);
    }

    $core->expect('180') for @rings;
    $core->same_hop($invite, 'CANCEL');
    is($core->final('CANCEL')->{code}, 200, 'CANCEL');

    for (@rings) {
        ok($_->[0]->expect('CANCEL'), 'which the browser hears');
        $_->[0]->reply($_->[1], 487, 'Request Terminated');
    }

    acked($invite, 487);
}

# without its ACK an answer would be repeated

sub acked {
    my ($invite, $code) = @_;

    my $answer = $core->final('INVITE');

    is($answer->{code}, $code, "answer $code");
    $core->same_hop($invite, 'ACK', $answer->h('To'));
    IMS::Loop::pause(0.05 * $IMS::Loop::SLOW);
    $core->forget();
    ok($core->none("$code INVITE", 0.2 * $IMS::Loop::SLOW), 'acknowledged');
}

# more than once, as any worker may get either

for (1 .. 3) {
    my $invite = called();
    cancel($invite, [ $mary, $mary->expect('INVITE') ]);
}

my $invite = called();

$mary->reply($mary->expect('INVITE'), 486, 'Busy Here');
acked($invite, 486);

# a second browser comes while the first rings

$invite = called();

my $one = $mary->expect('INVITE');
my $tab = browser('mary');

cancel($invite, [ $mary, $one ]);

# both ring, and then one of them has gone

for (1 .. 3) {
    $invite = called();
    cancel($invite, map { [ $_, $_->expect('INVITE') ] } $mary, $tab);
}

# from a user of the portal: a second browser comes, and it goes

sub ring {
    my (@to) = @_;

    my $sent = $bob->start('INVITE', to => $mary->{impu},
        sdp_body(web_sdp()));

    return $sent, map {
        my $seen = $_->expect('INVITE');
        $_->reply($seen, 180, 'Ringing', headers => [
            Contact => $_->contact() ]);
        $bob->expect('180');
        [ $_, $seen ]
    } @to;
}

my ($sent, @rings) = ring($mary, $tab);

$tab->drop();
IMS::Loop::pause(0.2 * $IMS::Loop::SLOW);

$bob->same_hop($sent, 'CANCEL');
ok($mary->expect('CANCEL'), 'one of two browsers left');
$mary->reply($rings[0][1], 487, 'Request Terminated');
like($bob->final('INVITE')->{code}, qr/^48[07]$/, 'and it ends');

IMS::Loop::pause(0.7 * $IMS::Loop::SLOW);

($sent, @rings) = ring($mary);
$tab = browser('mary');

$bob->same_hop($sent, 'CANCEL');
ok($mary->expect('CANCEL'), 'another browser came');
$mary->reply($rings[0][1], 487, 'Request Terminated');
is($bob->final('INVITE')->{code}, 487, 'and 487');
