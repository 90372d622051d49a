#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A thousand users log in at once, over four workers, and there are two hundred
# identities: each goes to one user, the rest is told when to come again.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::JWT;
use IMS::Loop;
use IO::Select;
use IO::Socket::INET;
use JSON::PP qw/ decode_json /;
use Test::Nginx qw/ port /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my ($users, $identities) = (1000, 200);

my $t = Test::Nginx->new()->has(qw/ http /)->plan(11);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(workers => 4));

$t->run();

# HS256: it is the pool that is tried here

my %token = map { $_ => $jwt->sign('HS256', $jwt->claims("u$_")) }
    1 .. $users;

# All requests at once: each socket is open before the first one is written.
# Status, identity and wait of each user.

sub storm {
    my ($method, @who) = @_;
    my (%sock, %in, %got);

    for my $user (@who) {
        $sock{$user} = IO::Socket::INET->new(Proto => 'tcp',
            PeerAddr => '127.0.0.1:' . port(8080)) or die "socket: $!\n";
    }

    $sock{$_}->syswrite("$method /ims/session HTTP/1.1\r\nHost: localhost\r\n"
        . "Connection: close\r\nCookie: ims_session=$token{$_}\r\n"
        . "Content-Length: 0\r\n\r\n") for @who;

    my $select = IO::Select->new(values %sock);
    my %user = map { fileno($sock{$_}) => $_ } @who;
    my $until = time() + 20;

    while ($select->count() && time() < $until) {
        for my $s ($select->can_read(1)) {
            my $user = $user{fileno $s};

            $in{$user} //= '';
            next if $s->sysread($in{$user}, 65536, length $in{$user});

            $select->remove($s);
        }
    }

    for my $user (@who) {
        my ($head, $body) = split /\r\n\r\n/, $in{$user} // '', 2;
        my $json = eval { decode_json($body // '') } || {};

        $got{$user} = {
            status => (($head // '') =~ m!^HTTP/1.1 (\d+)!)[0] || 0,
            identity => $json->{identity},
            after => scalar((($head // '') =~ /^Retry-After: (\d+)\r?$/mi)[0]),
        };
    }

    return \%got;
}

sub statuses {
    my ($got) = @_;
    my %n;

    $n{$_->{status}}++ for values %$got;

    return \%n;
}

my $got = storm('POST', 1 .. $users);

is_deeply(statuses($got), { 201 => $identities, 503 => $users - $identities },
    'as many as there are identities');

my @have = grep { $got->{$_}{status} == 201 } keys %$got;
my %of = map { $got->{$_}{identity} => $_ } @have;

is(scalar keys %of, $identities, 'each has another one');
is(scalar(grep { !$_->{after} || $_->{after} > 3600 }
    grep { $_->{status} == 503 } values %$got), 0,
    'the others know when to come again');

# the same once more: nobody loses his, nobody gets one

my $again = storm('POST', 1 .. $users);

is_deeply(statuses($again), { 200 => $identities,
    503 => $users - $identities }, 'the same once more');
is(scalar(grep { $again->{$_}{identity} ne $got->{$_}{identity} } @have), 0,
    'who has one keeps it');

# half of them give theirs back; those rest, so their users only get them back

my @back = @have[0 .. $identities / 2 - 1];
my @wait = grep { $got->{$_}{status} == 503 } keys %$got;

is_deeply(statuses(storm('DELETE', @back)), { 204 => scalar @back },
    'half is given back');
is_deeply(statuses(storm('POST', @wait)), { 503 => scalar @wait },
    'an identity rests before another user gets it');
is_deeply(statuses(storm('POST', @back)), { 201 => scalar @back },
    'but its own may have it');

# without a rest, others get them

$t->write_file_expand('nginx.conf', ims_conf(workers => 4,
    quarantine => '1s'));
$t->reload();
IMS::Loop::pause(1);

is_deeply(statuses(storm('DELETE', @back)), { 204 => scalar @back },
    'given back again');
IMS::Loop::pause(2.1);

$got = storm('POST', @wait);
is(statuses($got)->{201}, scalar @back, 'as many others get one');
is(scalar(grep { my $i = $_->{identity}; $i
    && grep { $of{$i} == $_ } @have[$identities / 2 .. $#have] }
    values %$got), 0, 'and none that is in use');
