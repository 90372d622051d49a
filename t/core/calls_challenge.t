#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The real core challenges whatever begins something: the browser hears nothing
# of it, and what follows goes on where the portal's answers left the numbers.

use warnings;
use strict;

use File::Basename qw(dirname);
use FindBin;
use Test::More;

use lib dirname(__FILE__);
use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/../lib",
    "$FindBin::Bin/../lib";

use Calls;
use IMS::SDP qw/ web_sdp /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(20);
my $secrets = $t->testdir() . '/secrets';

$t->write_file('secrets', "acme-pool-1\@ims.operator.example password secret\n");
chmod 0600, $secrets;

my $calls = Calls->new($t, core => { CHALLENGE => 'yes' },
    conf => { register => "digest secrets=$secrets" });
my ($mary, $far) = @$calls{qw/ mary far /};

# MESSAGE

$mary->start('MESSAGE', to => Calls::number(), body => 'up');

my $r = $far->expect('MESSAGE');

is($r->{body}, 'up', 'MESSAGE');
is($r->cseq(), 2, 'its second try');
is($r->h('Proxy-Authorization'), undef, 'credentials stay at the core');
$far->reply($r, 200, 'OK');
$r = $mary->final('MESSAGE');
is($r->{code}, 200, 'answered');
is($r->cseq(), 1, 'with the browser\'s number');

# INVITE, and who hangs up

my $call = $calls->call_up();

is($call->{seen}->cseq(), 2, 'INVITE, second try');
is($call->{ok}->cseq(), 1, 'answered');
$calls->hang_up('mary', $call, 'challenged');

$call = $calls->call_up();
$calls->hang_up('far', $call, 'challenged, too');

# the page closes: the portal's own BYE

$call = $calls->call_up();
$mary->close(1001);
$r = $far->expect('BYE');
cmp_ok($r->cseq(), '>', 2, 'BYE of the portal counts on');
$far->reply($r, 200, 'OK');
$calls->clean('page closed');
