#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The real core is restarted and knows nobody any more. The portal notices that
# it was away and registers its browsers again; where it could not notice, the
# core's 403 tells it. Then messages pass in both directions.

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
use Time::HiRes qw/ time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $home = 'ims.operator.example';
my $t = Test::Nginx->new()->has(qw/ http /);
my $jwt = IMS::JWT->new($t);

my $core = Edge->new(TRANSPORT => 'udp',
    EDGE => '127.0.0.1:' . port(8980, udp => 1));
my $farend = $core->{farend};
my ($mary, $bob);

sub begin {
    my (%conf) = @_;

    $t->write_file_expand('nginx.conf', ims_conf(%conf, workers => 2,
        identity => "sip:u[001-020]\@acme.$home impi=acme-pool-1\@$home",
        server_ims => "$core->{uri}:$core->{port} max_fails=1"));
    $t->run();

    ($mary, $bob) = map { IMS::Browser->open(token => $jwt->token($_)) }
        'mary', 'bob';
    is($_->register()->{code}, 200, "registered as $_->{impu}")
        for $mary, $bob;
    is(bindings(), 2, 'two bindings');
}

sub bindings { return scalar $core->core('contacts') }

sub up {
    my ($web) = @_;

    $web->start('MESSAGE', to => "sip:9197\@$home", body => 'up');
    my $r = Edge::receive($farend, qr/^MESSAGE .*up$/s);
    $core->answer($farend, $r, '200 OK') if $r;

    return $web->final('MESSAGE')->{code};
}

sub down {
    my ($web) = @_;

    my $impu = $web->{impu};

    $core->send_to_core($farend, $core->request($farend, 'MESSAGE', $impu,
        From => "<sip:alice\@$home>;tag=a", To => "<$impu>",
        'Content-Type' => 'text/plain', _body => 'down'));
    my $r = $web->expect('MESSAGE', 3) or return 0;
    $web->reply($r, 200, 'OK');

    return Edge::status(Edge::receive($farend, qr/^SIP\/2.0 [2-6]/));
}

sub both {
    my ($title) = @_;

    for my $who ([ mary => $mary ], [ bob => $bob ]) {
        is(up($who->[1]), 200, "$title: up, $who->[0]");
        is(down($who->[1]), 200, "$title: down, $who->[0]");
    }
}

sub end {
    $_->register(expires => 0), $_->close() for $mary, $bob;
    $t->stop();
}

# noticed: probes

begin(core => 'probe 200ms timeout=200ms fails=2;');
both('before');

ok($core->restart(1.5), 'the core is restarted');
my $start = time();
ok(IMS::Loop::wait_for(sub { bindings() == 2 }, 8),
    'both are registered again');
cmp_ok(time() - $start, '<', 7 * $IMS::Loop::SLOW, 'within seconds');
both('after');
end();

# not noticed: nobody sent anything to it meanwhile

begin(core => 'probe off;', t1 => '25ms');
ok($core->restart(), 'the core is restarted again');
IMS::Loop::pause(2);
is(bindings(), 0, 'the portal has not noticed');
is(up($mary), 403, 'a message up is refused');
ok(IMS::Loop::wait_for(sub { bindings() == 1 }, 3), 'registered again');
is(up($mary), 200, 'the next one passes');
is(down($mary), 200, 'and one down');
end();

done_testing();
