#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A call was just answered when the socket went, and its ACK went with it: the
# 2xx is repeated, and the ACK finds its way over the next socket, at the same
# worker and at another.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ hang_up sdp_body /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IMS::Outlive qw/ goes_on elsewhere again_here worker_of vanish /;
use IMS::SDP qw/ ims_sdp web_sdp /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(14);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    workers => 2, listen => '127.0.0.1:8080 reuseport',
    media => 'unix:%%TESTDIR%%/ng.sock', grace => 8 * $IMS::Loop::SLOW . 's',
    t1 => 100 * $IMS::Loop::SLOW . 'ms',
    http => 'log_format pid "$pid $uri $status";',
    sip => 'access_log %%TESTDIR%%/pid.log pid;'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my %mary = (token => $jwt->token('mary'), instance => '1-2-3',
    host => 'mary.invalid');
my $mary = IMS::Browser->open(%mary);

$mary->register();

sub back {
    my ($where) = @_;

    vanish($t, $mary);
    $mary = $where->($t, worker_of($t), %mary);
    $mary->register();
}

for (['the same worker', \&again_here], ['another worker', \&elsewhere]) {
    my ($title, $where) = @$_;

    # she calls: her ACK is lost, the far end repeats its 200

    my $sent = $mary->start('INVITE', sdp_body(web_sdp()));
    my $seen = $core->expect('INVITE');
    my $answer = $core->reply($seen, 200, 'OK', headers => [
        Contact => $core->contact(), 'Content-Type' => 'application/sdp' ],
        body => ims_sdp());
    my $ok = $mary->final('INVITE');

    back($where);
    $core->emit($answer->bytes(), $seen->{from});
    my $again = $mary->final('INVITE', 2);
    is($again->{code}, 200, "$title: 200 once more");

    my $call = { web => $mary->dialog($sent, $ok, 1),
        core => $core->dialog($seen, $answer, 0) };
    $mary->within($call->{web}, 'ACK');
    ok($core->expect('ACK'), "$title: and its ACK");
    is(goes_on($mary, $core, $call), '', "$title: the call goes on");
    hang_up($mary, $call->{web}, $core);

    # she is called: the ACK comes before the loss is seen, she repeats her 200

    $sent = $core->terminating('INVITE', to => $mary->{impu},
        sdp_body(ims_sdp()));
    $seen = $mary->expect('INVITE');
    $answer = $mary->reply($seen, 200, 'OK', headers => [
        Contact => $mary->contact(), 'Content-Type' => 'application/sdp' ],
        body => web_sdp(setup => 'active'));
    $ok = $core->final('INVITE');
    $call = { web => $mary->dialog($seen, $answer, 0),
        core => $core->dialog($sent, $ok, 1) };

    back($where);
    my $before = $core->{again};
    $mary->emit($answer->bytes());
    ok(IMS::Loop::wait_for(sub { $core->{again} > $before }, 2),
        "$title: her 200 once more");
    $core->within($call->{core}, 'ACK');
    ok($mary->expect('ACK'), "$title: and the ACK");
    is(goes_on($mary, $core, $call), '', "$title: that call goes on");
    hang_up($core, $call->{core}, $mary);
}

$ng->wait_for('delete', 4);
IMS::Loop::pause(0.2);
is(scalar $ng->seen('delete'), 4, 'media freed, each once');
is(scalar(grep { $_->{code} && $_->{code} >= 400 } @{$core->{all}},
    @{$mary->{all}}), 0, 'nothing was refused');

$mary->close();

# a sub holds it: the two tests of its own come now, not too late

undef $t;
