#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The core does not know a browser any more and says so: 403, or 504 with the word
# to register anew (TS 24.229 5.1.2A.1.6). The answer is passed on, and the next
# request goes through. Not every 403 is worth a REGISTER.

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

my $t = Test::Nginx->new()->has(qw/ http /)->plan(18);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(t1 => '25ms'));
$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));
my $bob = IMS::Browser->open(token => $jwt->token('bob'));
my $carol = IMS::Browser->open(token => $jwt->token('carol'));

$_->register() for $mary, $bob, $carol;

my @restore = (headers => [ 'Content-Type' => 'application/3gpp-ims+xml' ],
    body => '<?xml version="1.0"?><ims-3gpp version="1"><alternative-service>'
    . '<type>restoration</type><reason/><action>initial-registration</action>'
    . '</alternative-service></ims-3gpp>');

# what the core says to a request, what the browser hears, what follows

sub refused {
    my ($web, $method, $code, $registers, $title, @more) = @_;

    $core->{all} = [];
    $web->start($method, $method eq 'INVITE' ? () : (body => 'x'));
    my $m = $core->expect($method) or die "no $method\n";
    $core->reply($m, $code, 'No', @more);

    my $r = $web->final($method);
    is($r && $r->{code}, $code, "$title: passed on");

    $registers ? IMS::Loop::wait_for(sub { count() }, 2)
        : IMS::Loop::pause(0.4);
    is(count(), $registers, "$title: " . ($registers ? 'registered again'
        : 'nothing else'));
}

sub age { IMS::Loop::pause(3.7) }

sub count {
    return scalar grep { ($_->{method} || '') eq 'REGISTER' } @{$core->{all}};
}

# a registration that has just been made is not doubted

refused($mary, 'MESSAGE', 403, 0, 'fresh');

# 64*T1 pass, and two seconds that have begun

age();

refused($mary, 'MESSAGE', 403, 1, '403');
refused($mary, 'MESSAGE', 403, 0, '403 again');
refused($mary, 'INVITE', 403, 0, 'INVITE');

# the next request goes through

$mary->start('MESSAGE', body => 'y');
my $m = $core->expect('MESSAGE');
ok($m, 'the next one');
$core->reply($m, 200, 'OK');
is($mary->final('MESSAGE')->{code}, 200, 'goes through');

refused($bob, 'MESSAGE', 404, 0, '404 is of the far end');
refused($bob, 'MESSAGE', 504, 0, '504 says nothing');
refused($bob, 'MESSAGE', 504, 1, '504 with the word', @restore);

# within a dialog it is the far end's

my $sent = $carol->start('INVITE');
my $invite = $core->expect('INVITE');
my $answer = $core->reply($invite, 200, 'OK',
    headers => [ Contact => $core->contact() ]);
my $ok = $carol->expect('200 INVITE');
my $dialog = $carol->dialog($sent, $ok, 1);
$carol->within($dialog, 'ACK');
$core->expect('ACK');
$core->{all} = [];
$carol->within($dialog, 'INFO');
my $info = $core->expect('INFO');
$core->reply($info, 403, 'No') if $info;
is($carol->final('INFO')->{code}, 403, 'within a dialog: passed on');
IMS::Loop::pause(0.3);
is(count(), 0, 'within a dialog: nothing else');

$_->close() for $mary, $bob, $carol;
