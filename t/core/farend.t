#!/usr/bin/perl

# The far end that browser tests measure with: two of them call each other.
# A wrong instrument would make every test behind it worthless.

use warnings;
use strict;

use Test::More;
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP;
use Time::HiRes qw(sleep time);

my $here = dirname($0);
my $dir = tempdir('ims-farend-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my (@pids, %port);

system('make', '-s', '-C', "$here/farend", "OUT=$dir") == 0
    or BAIL_OUT('the far end does not build');

for my $name ('a', 'b') {
    my $s = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1')
        or die "no socket: $!";
    $port{$name} = $s->sockport();
}

sub run {
    my ($name, $peer, $rtp, @services) = @_;
    my $pid = fork() // die "fork: $!";

    if ($pid == 0) {
        exec("$dir/farend", '-l', "127.0.0.1:$port{$name}",
            '-x', "127.0.0.1:$port{$peer}", '-c', "$dir/$name",
            '-m', "sip:$name\@test", '-p', $rtp, '-r', 50,
            map { ('-s', $_) } @services);
        die "exec: $!";
    }

    push @pids, $pid;
    for (1 .. 60) {
        last if -S "$dir/$name";
        sleep 0.05;
    }
}

sub say_to {
    my ($name, $command) = @_;
    my $s = IO::Socket::UNIX->new(Peer => "$dir/$name")
        or die "no far end $name: $!";
    print $s "$command\n";
    return decode_json(scalar readline $s);
}

# asks until the condition holds, at most five seconds
sub until_ok {
    my ($name, $command, $cond) = @_;
    my ($r, $end) = (undef, time() + 5);

    do {
        $r = say_to($name, $command);
        return $r if $cond->($r);
        sleep 0.05;
    } while (time() < $end);

    return $r;
}

my $state = sub { my $s = shift; return sub { $_[0]->{state} eq $s } };

run('a', 'b', '22000-22099', 'tone=tone:440', 'echo=echo', 'busy=busy',
    'ring=ring', 'cb=callback:523');
run('b', 'a', '22100-22199', 'b=echo');

my $uri = "test\@127.0.0.1:$port{a}";

# a tone each way

say_to('b', "call sip:tone\@127.0.0.1:$port{a} tone 1000");
until_ok('b', 'stats', $state->('established'));
sleep 0.2;
say_to($_, 'reset') for 'a', 'b';
sleep 1.5;

for (['a', 1000], ['b', 440]) {
    my ($name, $freq) = @$_;
    my $r = say_to($name, 'stats');

    cmp_ok(abs($r->{freq} - $freq), '<', 1, "$freq Hz at $name");
    cmp_ok($r->{share}, '>', 0.99, 'nothing but the tone');
    cmp_ok(abs($r->{energy_db} + 15.2), '<', 1.5, 'its level');
    cmp_ok(abs($r->{packets} - 75), '<=', 4, '50 packets a second');
    is($r->{lost}, 0, 'none lost');
    cmp_ok($r->{max_gap_ms}, '<', 100, 'no gap');
}

# digits, INFO, hold

say_to('b', 'dtmf 0 12#');
is(until_ok('a', 'stats', sub { length $_[0]->{dtmf} == 3 })->{dtmf}, '12#',
    'digits');
say_to('b', 'info 0 Signal=5');
is(until_ok('a', 'stats', sub { $_[0]->{info} })->{info}, 'Signal=5', 'INFO');
say_to('b', 'hold');
is(until_ok('a', 'stats', sub { !$_[0]->{send} })->{send}, JSON::PP::false,
    'held');
sleep 0.2;
say_to('b', 'reset');
sleep 0.3;
cmp_ok(say_to('b', 'stats')->{packets}, '<=', 1, 'nothing is sent on hold');
say_to('b', 'resume');
is(until_ok('a', 'stats', sub { $_[0]->{send} })->{send}, JSON::PP::true,
    'resumed');
say_to('a', 'hangup');
is(until_ok('b', 'stats', $state->('ended'))->{why}, 'bye received', 'BYE');

# echo, offer in the 200

say_to('b', "call sip:echo\@127.0.0.1:$port{a} tone 777 late");
until_ok('b', 'stats', $state->('established'));
sleep 1.3;
cmp_ok(abs(say_to('b', 'stats')->{freq} - 777), '<', 1, 'echo, late offer');
say_to('b', 'play 0 silent');
sleep 1.2;
cmp_ok(say_to('b', 'stats')->{energy_db}, '<', -60, 'silence is silent');
say_to('b', 'hangup');
is(until_ok('a', 'stats', $state->('ended'))->{why}, 'bye received',
    'BYE of the caller');

# failures

say_to('b', "call sip:busy\@127.0.0.1:$port{a}");
is(until_ok('b', 'stats', $state->('ended'))->{status}, 486, 'busy');
say_to('b', "call sip:none\@127.0.0.1:$port{a}");
is(until_ok('b', 'stats', $state->('ended'))->{status}, 404, 'not found');
say_to('b', "call sip:ring\@127.0.0.1:$port{a}");
until_ok('a', 'stats', $state->('incoming'));
say_to('b', 'hangup');
is(until_ok('b', 'stats', $state->('ended'))->{status}, 487, 'CANCEL');
is(say_to('a', 'stats')->{why}, 'cancelled', 'CANCEL there');
say_to('b', "call sip:ring\@127.0.0.1:$port{a}");
until_ok('a', 'stats', $state->('incoming'));
say_to('a', 'reject 0 603');
is(until_ok('b', 'stats', $state->('ended'))->{status}, 603, 'rejected');

# messages

say_to('b', "message sip:x\@127.0.0.1:$port{a} a \"quoted\" word");
is(until_ok('b', 'messages', sub { $_[0]->[0]{status} })->[0]{status}, 200,
    'MESSAGE answered');
is(say_to('a', 'messages')->[0]{body}, 'a "quoted" word', 'its body');
ok(say_to('a', 'nonsense')->{error}, 'unknown command');

done_testing();

END {
    my $rc = $?;
    kill 'TERM', @pids if @pids;
    waitpid $_, 0 for @pids;
    $? = $rc;
}
