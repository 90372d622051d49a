#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Calls to sipp, which answers as t/core/sipp/*.xml say: another hand than ours
# has written how it takes part in a dialog.

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
use POSIX qw/ WNOHANG /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->has_daemon('sipp')->plan(21);
my $calls = Calls->new($t, far => 0);
my $mary = $calls->{mary};
my $dir = $t->testdir();
my ($sent, $r);

sub sipp {
    my ($scenario, @more) = @_;
    my $pid = fork() // die "can't fork: $!\n";

    if ($pid == 0) {
        open STDOUT, '>', "$dir/sipp.out" or POSIX::_exit(1);
        open STDERR, '>&', \*STDOUT or POSIX::_exit(1);
        chdir $dir;
        $ENV{TERM} = 'dumb';
        exec 'sipp', '-sf', "$FindBin::Bin/sipp/$scenario.xml", '-i',
            '127.0.0.1', '-p', $calls->{farend}, '-m', 1, '-nostdin',
            '-timeout', '30s', '-timeout_error', '-mp', 51000,
            '-trace_msg', '-message_file', "$dir/sipp.log",
            '-trace_err', '-error_file', "$dir/sipp.err", @more
            or POSIX::_exit(1);
    }

    my $port = sprintf ':%04X ', $calls->{farend};

    IMS::Loop::wait_for(sub {
        IMS::Loop::serve(0.02);
        open my $f, '<', '/proc/net/udp' or die "no list of sockets: $!\n";
        return scalar grep { /^ *\d+: [0-9A-F]+$port/ } <$f>;
    }, 5) or die "sipp does not start\n";

    return $pid;
}

# it has seen all that its scenario says

sub satisfied {
    my ($pid, $name) = @_;
    my $status;

    IMS::Loop::wait_for(sub {
        IMS::Loop::serve(0.02);
        return 1 if waitpid($pid, WNOHANG) == 0 ? 0 : defined($status = $?);
    }, 10);

    if (!defined $status) {
        kill 'KILL', $pid;
        waitpid $pid, 0;
    }

    is($status, 0, "$name: sipp is satisfied")
        or diag(map { $t->read_file($_) } grep { -e "$dir/$_" }
            qw/ sipp.err sipp.log /);
    $calls->clean($name);
}

sub invite {
    my (%o) = @_;

    $sent = $mary->start('INVITE', to => Calls::number(), body => web_sdp(),
        headers => [ Calls::sdp_headers(), @{$o{headers} || []} ]);
}

# early media in a reliable 183

my $pid = sipp('reliable');

invite();
$r = $mary->expect('183');
like($r->{body}, qr/SAVPF/, 'reliable: early media');

my $web = $mary->dialog($sent, $r, 1);

$r = $mary->final('INVITE', 8);
is($r->{code}, 200, 'reliable: answered');
$mary->within($web, 'ACK', cseq => 1);
$mary->within($web, 'BYE');
is($mary->final('BYE')->{code}, 200, 'reliable: BYE');
satisfied($pid, 'reliable');

# three branches, the third holds, takes up again, refreshes

$pid = sipp('forked');

invite();
is($mary->expect('180')->tag('To'), 'one', 'forked: first rings');
$r = $mary->expect('183');
is($r->tag('To'), 'one', 'forked: second, too');
$r = $mary->final('INVITE');
is($r->{code} . $r->tag('To'), '200one', 'forked: third answers');

$web = $mary->dialog($sent, $r, 1);
$mary->within($web, 'ACK');

for my $way ([ 'sendonly', 'recvonly' ], [ 'sendrecv', 'sendrecv' ]) {
    my ($offer, $answer) = @$way;
    my $re = $mary->expect('INVITE');

    like($re->{body}, qr/^a=$offer\r$/m, "forked: re-INVITE, $offer");
    is($re->tag('From'), 'one', 'forked: of whom the browser knows');
    $mary->reply($re, 200, 'OK', headers => [ Contact => $mary->contact(),
        Calls::sdp_headers() ], body => web_sdp(direction => $answer,
        setup => 'active'));
    ok($mary->expect('ACK'), 'forked: its ACK');
}

$r = $mary->expect('UPDATE');
ok($r, 'forked: UPDATE');
like($r->h('Session-Expires'), qr/^1800/, 'forked: refreshes the session');
$mary->reply($r, 200, 'OK', headers => [ Contact => $mary->contact(),
    Require => 'timer', 'Session-Expires' => '1800;refresher=uac' ]);
$mary->within($web, 'BYE');
is($mary->final('BYE')->{code}, 200, 'forked: BYE');
satisfied($pid, 'forked');

$calls->done();

# subs hold them: the two tests of its own come now, not too late

undef $_ for $calls, $t;
