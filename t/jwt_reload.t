#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Fetched keys over a reload: a new configuration asks anew, and falls back on
# what the former had; over the death of the worker that fetches, too.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::JWT;
use IMS::Keys;
use IMS::Loop;
use IO::Socket::INET;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http proxy /)->plan(16);

my $jwt = IMS::JWT->new($t);
my $other = IMS::JWT->new($t);
my $keys = IMS::Keys->new($t, port(8085));

$jwt->{kid}{ES256} = 'e0';
$keys->answer('/a', 200, $jwt->public());
$keys->answer('/b', 200, $other->public());

sub configure {
    my ($path) = @_;

    $t->write_file_expand('nginx.conf', ims_conf(workers => 2,
        key => 'request=/_jwks timeout=1s', server => <<"EOC"));
        location = /_jwks {
            internal;
            proxy_pass http://127.0.0.1:8085$path;
            proxy_set_header X-Worker \$pid;
        }
EOC
}

sub status {
    return IMS::Browser::api('POST', token => $_[0]->token('mary'))->{status};
}

sub reload {
    my @former = ims_workers($t);

    $t->reload();
    IMS::Loop::wait_for(sub {
        my %is = map { $_ => 1 } ims_workers($t);
        !grep { $is{$_} } @former }, 5);
}

configure('/a');
$t->run();

is(status($jwt), 201, 'keys of the first configuration');
is($keys->asked('/a'), 1, 'asked once');

# the same configuration

reload();
is(status($jwt), 200, 'reloaded');
is(status($jwt), 200, 'again');
is($keys->asked('/a'), 2, 'asked anew, once');

# another server of keys: what the former said does not count

configure('/b');
reload();
is(status($other), 200, 'keys of another server');
is(status($jwt), 401, 'the former are gone');

# which is away at the reload

$keys->answer('/b', 500, '');
reload();
is(status($other), 200, 'the former keys, for want of others');
is(status($jwt), 503, 'nobody knows of this one');
like($t->read_file('error.log'), qr/\[warn\].*keys of "\/_jwks" cannot be/,
    'warned');

# the worker that asks is killed: the other one waits, and then asks

$keys->answer('/b', 200, $other->public());
reload();
$keys->slow('/b', 2);

my @s = map { IO::Socket::INET->new('127.0.0.1:' . port(8080))
    or die "can't connect: $!\n" } 1 .. 8;

print $_ "POST /ims/session HTTP/1.1\r\nHost: localhost\r\n"
    . "Connection: close\r\nContent-Length: 0\r\n"
    . 'Cookie: ims_session=' . $other->token('mary') . "\r\n\r\n" for @s;

my $n = $keys->asked('/b');

IMS::Loop::wait_for(sub { $keys->asked('/b') > $n - 1 }, 3);
IMS::Loop::pause(0.2);

my ($fetcher) = $keys->head('/b') =~ /.*^X-Worker: (\d+)/ms;

is(scalar(grep { $_ == $fetcher } ims_workers($t)), 1, 'one worker asks');

$t->todo_alerts();
kill 'KILL', $fetcher;
$keys->slow('/b', 0);

my @got;

for my $s (@s) {
    local $/;
    push @got, $1 if (<$s> // '') =~ m!^HTTP/1.1 (\d+) !;
}

cmp_ok(scalar @got, '<', 8, 'some were of the one that died');
is(scalar(grep { $_ ne 200 } @got), 0, 'the others are answered');
is(status($other), 200, 'and all who come');
is(status($jwt), 401, 'with its keys');
is(scalar(() = $t->read_file('error.log') =~ /exited on signal 9/g), 1,
    'one was killed');

# a sub holds it: the two tests of its own come now, not too late

undef $t;
