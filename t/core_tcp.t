#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The core by TCP: one connection for all requests of ours, requests of the core
# on it and on one of its own, and how messages lie in the stream.

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

my $t = Test::Nginx->new()->has(qw/ http /)->plan(32);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    listen_ims => '127.0.0.1:%%PORT_8980%% tcp',
    server_ims => '127.0.0.1:%%PORT_8981%% transport=tcp',
    core => 'stream_keepalive 300ms; stream_connections 4;'));
$t->run();

my $core = IMS::Core->new(transport => 'tcp')->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));

is($mary->register()->{code}, 200, 'registered');

my ($reg) = $core->seen('REGISTER');
my $portal = '127.0.0.1:' . port(8980);

like($reg->h('Via'), qr!^SIP/2\.0/TCP \Q$portal\E;!, 'Via says TCP');
like($reg->h('Path'), qr/transport=tcp;lr/, 'and Path');
like($reg->h('Contact'), qr/transport=tcp/, 'and Contact');

# up

$mary->start('MESSAGE', body => 'hello');

my $msg = $core->expect('MESSAGE');
is($msg->{body}, 'hello', 'MESSAGE came');
$core->reply($msg, 200, 'OK');
is($mary->final('MESSAGE')->{code}, 200, 'and its answer');
is($core->{accepted}, 1, 'on one connection');

# down, on the connection that we made

my $to = $mary->{impu};

$core->{reuse} = 1;
$core->terminating('MESSAGE', to => $to, body => 'reused',
    headers => [ 'Content-Type' => 'text/plain' ]);
$msg = $mary->expect('MESSAGE');
is($msg->{body}, 'reused', 'request on our connection');
$mary->reply($msg, 200, 'OK');
is($core->final('MESSAGE')->{code}, 200, 'answered');

# down, on one of the core's own

$core->{reuse} = 0;
$core->terminating('MESSAGE', to => $to, body => 'own',
    headers => [ 'Content-Type' => 'text/plain' ]);
$msg = $mary->expect('MESSAGE');
is($msg->{body}, 'own', 'request on a connection of the core');
$mary->reply($msg, 200, 'OK');

my $answer = $core->final('MESSAGE');
is($answer->{code}, 200, 'answered');
ok($answer->{from} == $core->{own}, 'on the same connection');
is($core->{accepted}, 1, 'no other connection was made');

# how messages lie in the stream

my @sent;

{
    no warnings 'redefine';
    local *IMS::Core::emit = sub { push @sent, $_[1] };

    $core->terminating('MESSAGE', to => $to, body => "number $_",
        headers => [ 'Content-Type' => 'text/plain' ]) for 1 .. 4;
}

my $own = $core->{own};

$own->write("\r\n\r\n$sent[0]$sent[1]" . substr $sent[2], 0, 100);
is($mary->expect('MESSAGE')->{body}, 'number 1', 'two in one segment');
is($mary->expect('MESSAGE')->{body}, 'number 2', 'the second');
ok($mary->none('MESSAGE', 0.2), 'a part is no message');
$own->write(substr $sent[2], 100, length($sent[2]) - 105);
ok($mary->none('MESSAGE', 0.2), 'nor is one without its last bytes');
$own->write(substr($sent[2], -5) . $sent[3]);
is($mary->expect('MESSAGE')->{body}, 'number 3', 'it is with them');
is($mary->expect('MESSAGE')->{body}, 'number 4', 'and the next');

# keep-alives (RFC 5626 4.4.1)

is($own->{crlf}, 1, 'a ping is answered');
ok(IMS::Loop::wait_for(sub {
    grep { $_->{accepted} && $_->{crlf} >= 2 } @{$core->{conns}} }),
    'we ping on our connection');
$own->write("\r\n\r\n");
ok(IMS::Loop::wait_for(sub { $own->{crlf} == 2 }), 'answered again');

# as long as a message may be

$core->terminating('MESSAGE', to => $to, body => 'x' x 60000,
    headers => [ 'Content-Type' => 'text/plain' ]);
is(length $mary->expect('MESSAGE')->{body}, 60000, '60000 bytes down');

$mary->start('MESSAGE', body => 'y' x 60000);
$msg = $core->expect('MESSAGE');
is(length $msg->{body}, 60000, 'and up');
$core->reply($msg, 200, 'OK');
is($mary->final('MESSAGE')->{code}, 200, 'answered');

# the answers go back when the connection is gone: to the Via (18.2.2)

$core->terminating('MESSAGE', to => $to, body => 'late',
    headers => [ 'Content-Type' => 'text/plain' ]);
$msg = $mary->expect('MESSAGE');
$core->{own}->close();
delete $core->{own};
IMS::Loop::pause(0.2);
$mary->reply($msg, 200, 'OK');
is($core->final('MESSAGE')->{code}, 200, 'answered elsewhere');

# a stream without sense

my $bad = $core->dial();
$bad->write("OPTIONS sip:portal SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;"
    . "branch=z9hG4bKx\r\nFrom: <sip:a\@b>;tag=1\r\nTo: <sip:a\@b>\r\n"
    . "Call-ID: bad\@length\r\nCSeq: 1 OPTIONS\r\n\r\n");
my $refused = $core->expect('400 OPTIONS');
is($refused->{code}, 400, 'a message without a length is refused');
ok(IMS::Loop::wait_for(sub { $bad->{eof} }), 'and the connection closed');

$bad = $core->dial();
$bad->write("\0\1\2garbage" x 8000);
ok(IMS::Loop::wait_for(sub { $bad->{eof} }), 'so is one of garbage');

# so many and no more

my @many = map { $core->dial() } 1 .. 6;
ok(IMS::Loop::wait_for(sub { 2 <= grep { $_->{eof} } @many }),
    'too many are closed');
like($t->read_file('error.log'),
    qr/4 "stream_connections" accepted are not enough/, 'and that is said');
$_->close() for @many;

is($mary->register()->{code}, 200, 'all else goes on');
$mary->close();
