#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The real core ends registrations of the portal: it says so to who subscribed,
# in both of its shapes; the HSS's sequence numbers run away from a card's.

use warnings;
use strict;

use File::Basename qw(dirname);
use FindBin;
use Test::More;

use lib dirname(__FILE__);
use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/../lib",
    "$FindBin::Bin/../lib";

use Edge;
use IMS::Browser;
use IMS::Conf;
use IMS::JWT;
use IMS::Loop;
use Test::Nginx qw/ port /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $home = 'ims.operator.example';
my $t = Test::Nginx->new()->has(qw/ http /);
my $jwt = IMS::JWT->new($t);

my $core = Edge->new(TRANSPORT => 'udp',
    EDGE => '127.0.0.1:' . port(8980, udp => 1));

sub conf {
    my (%conf) = @_;

    $t->write_file_expand('nginx.conf', ims_conf(%conf,
        server_ims => "$core->{uri}:$core->{port}"));
    $t->run();
}

sub bindings { return scalar $core->core('contacts') }

conf(identity => "sip:u[001-020]\@acme.$home impi=acme-pool-1\@$home",
    core => 'reg_event on;');

my %who = (token => $jwt->token('mary'));
my $mary = IMS::Browser->open(%who);
my $impu = $mary->{impu};

is($mary->register()->{code}, 200, "registered as $impu");
IMS::Loop::pause(1);

# RTR as Kamailio says it: terminated, no contact

$core->core('rtr', $impu, 'permanent');
is($mary->closed(6), 4403, 'ended for good: told');
is(bindings(), 0, 'no binding');

# with the contact, for another S-CSCF: registered again

IMS::Loop::pause(1);
$mary = IMS::Browser->open(%who);
is($mary->register()->{code}, 200, 'registered again');
IMS::Loop::pause(1);
$core->core('rtr', $impu, 'new', 'deactivated');
IMS::Loop::pause(1);
ok(IMS::Loop::wait_for(sub { bindings() == 1 }, 8),
    'deactivated: the portal registers again');
is($mary->closed(0.3), undef, 'the page was not told');

# the de-registration of its own does no harm

is($mary->register(expires => 0)->{code}, 200, 'left');
is(bindings(), 0, 'no binding');
IMS::Loop::pause(1);
is($mary->closed(0.3), undef, 'still connected');
is($mary->register()->{code}, 200, 'back');
IMS::Loop::pause(1);
is($mary->closed(0.3), undef, 'and not thrown out');
is(bindings(), 1, 'one binding');
$mary->close();

$t->stop();

my $log = $t->read_file('error.log');

is(join("\n", grep { /SUBSCRIBE|cannot be read/ } split /\n/, $log), '',
    'subscriptions accepted and news read');

done_testing();
