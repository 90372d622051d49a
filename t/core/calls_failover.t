#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Two real cores, of which the first dies: calls go by the other.

use warnings;
use strict;

use File::Basename qw(dirname);
use FindBin;
use Test::More;

use lib dirname(__FILE__);
use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/../lib",
    "$FindBin::Bin/../lib";

use Calls;
use Edge;
use IMS::SDP qw/ web_sdp /;
use Test::Nginx qw/ port /;
use Time::HiRes qw/ time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(16);
my $other = Edge->new(EDGE => '127.0.0.1:' . port(8980, udp => 1),
    FAREND => '127.0.0.1:' . port(8995, udp => 1));
my $calls = Calls->new($t, conf => {
    core => "server 127.0.0.1:$other->{port} backup; timeout 1s;" });
my ($mary, $far) = @$calls{qw/ mary far /};

is(scalar $calls->{core}->core('contacts'), 1, 'registered at the first core');
is(scalar $other->core('contacts'), 0, 'and not at the second');

my $call = $calls->call_up();
$calls->hang_up('mary', $call, 'by the first');

# it dies, and with it the S-CSCF where Mary is registered: the call that finds
# out fails, and she, who tries again, is registered at the second by then

$calls->{core}->stop();
$far->forget();

my ($r, $sent, $seen);
my $start = time();

while (!$seen && time() - $start < 10 * $IMS::Loop::SLOW) {
    $sent = $mary->start('INVITE', to => Calls::number(),
        headers => [ Calls::sdp_headers() ], body => web_sdp());

    IMS::Loop::wait_for(sub {
        ($seen) = grep { $_->h('Call-ID') eq $sent->h('Call-ID') }
            $far->seen('INVITE');
        ($r) = grep { ($_->{code} || 0) >= 300 } @{$mary->{queue}};
        return $seen || $r;
    }, 5);

    $mary->same_hop($sent, 'ACK', $r->h('To')) if $r;
    $mary->forget();
}

ok($seen, 'a call by the second core');
cmp_ok(time() - $start, '<', 5 * $IMS::Loop::SLOW, 'within five seconds');
is(scalar $other->core('contacts'), 1, 'registered there');
$far->reply($seen, 486, 'Busy Here');
$r = $mary->final('INVITE');
is($r->{code}, 486, 'answered');
$mary->same_hop($sent, 'ACK', $r->h('To'));

# whoever calls her finds her there

$far->{core} = "127.0.0.1:$other->{port}";
$call = $calls->call_down();
$calls->hang_up('far', $call, 'by the second');
$calls->done();
