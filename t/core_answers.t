#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Answers of the core that are wrong: each is dropped or read for what it is, says
# nothing of the server, and the right one that follows counts.

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
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(t1 => '100ms',
    core => 'probe off;'));
$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));

$mary->register();

# what becomes of the bytes of a good 200

my @wrong = (
    [ 'no status', sub { s/^SIP\/2\.0 200 OK/SIP\/2.0 OK/r } ],
    [ 'a status of two digits', sub { s/^SIP\/2\.0 200/SIP\/2.0 20/r } ],
    [ 'a status of four digits', sub { s/^SIP\/2\.0 200/SIP\/2.0 2000/r } ],
    [ 'status 700', sub { s/^SIP\/2\.0 200/SIP\/2.0 700/r } ],
    [ 'another version', sub { s/^SIP\/2\.0/SIP\/3.0/r } ],
    [ 'HTTP', sub { s/^SIP\/2\.0/HTTP\/1.1/r } ],
    [ 'no Via', sub { s/^Via:.*\r\n//mr } ],
    [ 'a foreign branch', sub { s/branch=[^;\r]+/branch=z9hG4bKnobodys/r } ],
    [ 'no branch', sub { s/;branch=[^;\r]+//r } ],
    [ 'a CSeq of another method', sub { s/^(CSeq: \d+) \w+/$1 BYE/mr } ],
    [ 'no CSeq', sub { s/^CSeq:.*\r\n//mr } ],
    [ 'no Call-ID', sub { s/^Call-ID:.*\r\n//mr } ],
    [ 'no From', sub { s/^From:.*\r\n//mr } ],
    [ 'a Content-Length that lies', sub {
        s/^Content-Length: \d+/Content-Length: 70000/mr } ],
    [ 'a negative Content-Length', sub {
        s/^Content-Length: \d+/Content-Length: -1/mr } ],
    [ 'a NUL in its head', sub { s/^From: /From: \0/mr } ],
    [ 'half of it', sub { substr $_, 0, length($_) / 2 } ],
    [ 'its first byte', sub { 'S' } ],
    [ 'binary', sub { join '', map { chr(($_ * 37 + 11) & 255) } 1 .. 900 } ],
    [ 'nothing', sub { '' } ],
    [ 'a head without an end', sub { s/\r\n\r\n.*//sr } ],
    [ 'a thousand header lines', sub { more("X: y\r\n" x 1000) } ],
    [ 'a line of 60000 bytes', sub { more('Via: ' . 'y' x 60000 . "\r\n") } ],
);

$t->plan(2 * @wrong + 14);

for my $case (@wrong) {
    my ($title, $change) = @$case;

    $mary->start('MESSAGE', body => 'x');
    my $m = $core->expect('MESSAGE') or die "$title: no MESSAGE\n";
    my $good = answer($m);
    my ($bytes) = map { $change->() } "$good";

    $core->emit($bytes, $m->{from});
    ok($mary->none('2xx', 0.05), "$title: no answer of it");
    $core->emit($good, $m->{from});
    is($mary->final('MESSAGE')->{code}, 200, "$title: the good one counts");
}

# a 200 to REGISTER that grants nothing is not one

for my $case ([ 'without a Contact', [] ],
    [ 'with another Contact', [ Contact => '<sip:else@192.0.2.1>;expires=9' ] ],
    [ 'with a broken Contact', [ Contact => '<sip:' ] ])
{
    my ($title, $headers) = @$case;
    my $web = IMS::Browser->open(token => $jwt->token("r $title"));

    $core->{on}{REGISTER} = sub {
        my ($self, $msg) = @_;
        return $self->accept($msg) if $msg->h('Expires') eq '0';
        $self->reply($msg, 200, 'OK', headers => $headers);
    };
    like($web->register()->{code}, qr/^5\d\d$/, "200 to REGISTER $title");

    $core->registrar();
    is($web->register()->{code}, 200, "$title: then a good one");
    $web->close();
}

# a challenge without one

$mary->start('MESSAGE', body => 'x');
my $m = $core->expect('MESSAGE');
$core->reply($m, 401, 'Unauthorized', headers => [
    'WWW-Authenticate' => 'Digest nonsense' ]);
is($mary->final('MESSAGE')->{code}, 403, 'a challenge that is none');

# answers that nobody asked for

my $stray = answer($m) =~ s/branch=[^;\r]+/branch=z9hG4bKstray/r;
$core->emit($stray, $m->{from}) for 1 .. 200;
$mary->start('MESSAGE', body => 'y');
$m = $core->expect('MESSAGE');
ok($m, 'strays are dropped');
$core->reply($m, 200, 'OK');
is($mary->final('MESSAGE')->{code}, 200, 'all goes on');

my $status = IMS::Browser::api('GET', path => '/ims/status')->{json};
my $server = $status->{cores}[0]{servers}[0];
ok($server->{up}, 'the server is up');
is($server->{fails}, 0, 'and not blamed');

like($t->read_file('error.log'), qr/invalid/, 'said in the log');
unlike($t->read_file('error.log'), qr/\[(?:alert|crit|emerg)\]/,
    'nothing worse');
is(IMS::Browser::api('GET', path => '/ims/status')->{status}, 200,
    'the worker lives');

$mary->close();

sub more {
    my ($lines) = @_;

    return s/\r\n\r\n/\r\n$lines\r\n/r;
}

sub answer {
    my ($m) = @_;

    my @headers = map { [ $_, $m->h($_) ] } 'Via', 'From', 'To', 'Call-ID',
        'CSeq';

    $_->[0] eq 'To' and $_->[1] .= ';tag=answer' for @headers;

    return "SIP/2.0 200 OK\r\n"
        . join('', map { "$_->[0]: $_->[1]\r\n" } @headers)
        . "Content-Length: 0\r\n\r\n";
}
