#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A core that challenges each request with 407, not only REGISTER.

use warnings;
use strict;

use Test::More;
use File::Basename qw(dirname);

use lib dirname(__FILE__);
use Edge;

my $core = Edge->new(CHALLENGE => 'yes');
my ($edge, $farend, $home) = @$core{'edge', 'farend', 'home'};
my $uri = "sip:9197\@$home";

*status = \&Edge::status;

is(status($core->register('u001')), 200, 'REGISTER is trusted');

for my $method ('INVITE', 'MESSAGE') {
    my $r = $core->ask($edge, $method, $uri, $core->good());
    is(status($r), 407, "$method is not");
    like(Edge::header($r, 'Proxy-Authenticate'),
        qr/^Digest realm="\Q$home\E".*qop="auth"/, "$method, how");

    $core->send_to_core($edge, $core->request($edge, $method, $uri,
        $core->good(),
        'Proxy-Authorization' => $core->digest("acme-pool-1\@$home",
            'secret', $r, method => $method, uri => $uri)));
    $r = Edge::receive($farend, qr/^$method /);
    like($r, qr/^$method sip:9197/, "$method, right password");
    unlike($r, qr/^Proxy-Authorization/mi, "$method, it stays inside");
    $core->answer($farend, $r, '486 Busy Here');
    is(status(Edge::receive($edge, qr/^SIP\/2.0 486/)), 486,
        "$method, the answer");

    $r = $core->ask($edge, $method, $uri, $core->good());
    is(status($core->ask($edge, $method, $uri, $core->good(),
        'Proxy-Authorization' => $core->digest("acme-pool-1\@$home",
            'wrong', $r, method => $method, uri => $uri))), 403,
        "$method, wrong password");
}

done_testing();
