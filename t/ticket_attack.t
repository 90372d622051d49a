#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Tickets that are none: altered, of another pool, revoked, too old, used by
# many at once; and what nginx -t says of mistakes.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::JWT;
use IMS::Loop;
use Test::Nginx qw/ port /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my @bad = (
    [ 'ims_portal_ticket maybe;',
        qr/"ims_portal_ticket" directive must be "on" or "off"/ ],
    [ 'ims_portal_ticket on for=5s;',
        qr/invalid parameter "for=5s" in "ims_portal_ticket"/ ],
    [ 'ims_portal_ticket on life=0;',
        qr/"ims_portal_ticket" directive has a "life" that is not between/ ],
    [ 'ims_portal_ticket on life=1h;',
        qr/"ims_portal_ticket" directive has a "life" that is not between/ ],
    [ 'ims_portal_ticket on; ims_portal_ticket off;',
        qr/"ims_portal_ticket" directive is duplicate/ ],
);

my $t = Test::Nginx->new()->has(qw/ http /)->plan(10 + @bad);

my $jwt = IMS::JWT->new($t);

for my $case (@bad) {
    my ($line, $like) = @$case;

    $t->write_file_expand('bad.conf', ims_conf(server => $line));
    like(ims_check($t, 'bad.conf'), $like, $line);
}

$t->write_file_expand('bad.conf', ims_conf(
    http => 'ims_portal_ticket_zone 1k;'));
like(ims_check($t, 'bad.conf'),
    qr/"ims_portal_ticket_zone" must be at least 64k/, 'a small zone');

$t->write_file_expand('nginx.conf', ims_conf(workers => 2, http => <<'EOH',
    ims_portal_ticket_zone 256k;
    ims_portal_pool other zone=other:1m core=operator {
        identity sip:o[1-9]@acme.ims.operator.example impi=$user@b.example;
    }
EOH
    server => <<'EOC'));
    ims_portal_ticket on life=2s;

    location = /other {
        ims_portal other;
    }

    location = /revoke {
        ims_portal_revocation acme;
    }
EOC

$t->run();

my $token = $jwt->token('mary');

sub ticket {
    return IMS::Browser::api('POST', token => $_[0] || $token,
        headers => [ 'Prefer: ticket' ])->{json}{ticket};
}

sub try_it {
    my ($ticket, %o) = @_;

    return IMS::Browser->open(protocol => "sip, ims-ticket.$ticket", %o)
        ->{status};
}

# altered: each place of the text, and other lengths

my $good = ticket();
my %got;

for my $i (0 .. length($good) - 1) {
    my $altered = $good;

    substr $altered, $i, 1, substr($good, $i, 1) eq 'A' ? 'B' : 'A';
    $got{try_it($altered)}++;
}

is_deeply(\%got, { 401 => 32 }, 'altered in one place');

%got = ();
$got{try_it($_)}++ for substr($good, 1), "${good}A", "$good=", 'A' x 32,
    '_' x 32, 'a';
is_deeply(\%got, { 401 => 6 }, 'torn, or made up');

is(try_it($good, path => '/other'), 401, 'at another pool');
is(try_it($good), 101, 'which did not use it');

# at once, over two workers: one of them

my $shared = ticket();
my @pids = map {
    my $pid = fork();

    if (!$pid) {
        my $s = try_it($shared);

        require POSIX;
        POSIX::_exit($s == 101 ? 1 : 0);
    }

    $pid;
} 1 .. 12;

my $opened = 0;

for (@pids) {
    waitpid $_, 0;
    $opened += $? >> 8;
}

is($opened, 1, 'shown by twelve at once, one gets in');

# too old; revoked; not at the session API

my $old = ticket();
IMS::Loop::pause(2.1);
is(try_it($old), 401, 'too old');

my $revoked = ticket($jwt->token('eve', jti => 'j1', iat => time() - 5));
like(Test::Nginx::http("POST /revoke HTTP/1.1\r\nHost: localhost\r\n"
    . "Connection: close\r\nContent-Length: 6\r\n\r\njti=j1"), qr/ 204 /,
    'its token is revoked');
is(try_it($revoked), 401, 'and the ticket with it');
is(IMS::Browser::api('POST', headers => [ 'Authorization: Bearer '
    . ticket() ])->{status}, 401, 'a ticket gets no other ticket');
