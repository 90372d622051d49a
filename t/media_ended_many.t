#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# What a media helper tells of calls that ended: thousands of another nginx's,
# more than it remembers, of a call that is well again, and is lost again; when
# it does not answer, when it is away, and with consent "off".

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ call_up hang_up /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use Test::Nginx;
use Time::HiRes qw/ time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(29);

my $jwt = IMS::JWT->new($t);

sub conf {
    my ($consent) = @_;

    $t->write_file_expand('nginx.conf', ims_conf(workers => 2, grace => '60s',
        media => 'unix:%%TESTDIR%%/ng.sock', media_lost => '60s',
        http => "ims_portal_media_consent $consent;"));
}

conf('1s');

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');
my @ended;

$ng->{ended} = \@ended;
$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));

$mary->register();

# 50 replies with those of others, then ours: not a second for each reply

my $call = call_up($mary, $core);
my $begin = time();

push @ended, (map { others($_) } 1 .. 3200), [ id($call), 'media lost' ];
$ng->{web}{id($call)} = { 'media lost' => \1 };

ended($call, 'SIP;cause=503;text="media lost"', 'many of others');
cmp_ok(time() - $begin, '<', 30, 'in time');
is(scalar(grep { $_->{'call-id'} =~ /^other/ } $ng->seen('query')), 0,
    'nobody asks about those of others');

# what is no news: of another kind, without the form of ours, without a name

$call = call_up($mary, $core);
push @ended, [ id($call), 'bored' ], [ 'x', 'no media' ], [ '', 'no media' ],
    [ '~00000000o', 'no media' ], [ substr(id($call), 1), 'no media' ],
    [ id($call) =~ s/.\z/t/r, 'no media' ], [ 'a~zzzzzzzzo', 'no media' ],
    [ 'a~ffffffffo', 'no media' ];
ok(told(), 'no news for us');
ok($mary->none('BYE', 2), 'no call ends for it');

# well again when it is asked about

push @ended, [ id($call), 'media lost' ];
ok(IMS::Loop::wait_for(sub { $ng->seen('query', id($call)) }, 20), 'asked');
ok($mary->none('BYE', 2), 'its media is well: it goes on');

# ... and lost again

$ng->{web}{id($call)} = { 'media lost' => \1 };
push @ended, [ id($call), 'media lost' ];
ended($call, 'SIP;cause=503;text="media lost"', 'lost again');

# news go with the next ping when one gets no answer, and when it finds no
# helper

for my $fault (qw/ silent away /) {
    $call = call_up($mary, $core);
    id($call);

    $fault eq 'silent' ? $ng->mode('silent') : $ng->down();
    push @ended, [ id($call), 'dtls failed' ];
    $ng->{web}{id($call)} = { state => 'failed' };
    ok($mary->none('BYE', 2.5), "$fault: nobody can know");
    $fault eq 'silent' ? $ng->mode('answer') : $ng->up();

    ended($call, 'SIP;cause=488;text="DTLS failed"', $fault);
}

# a question that gets no answer is asked again

$call = call_up($mary, $core);
id($call);
$ng->mode('hold');
push @ended, [ id($call), 'dtls failed' ];
$ng->{web}{id($call)} = { state => 'failed' };
ok(IMS::Loop::wait_for(sub { @{$ng->{held}} }, 20), 'a question is left open');
$ng->mode('answer');
ended($call, 'SIP;cause=488;text="DTLS failed"', 'asked again');

# more than the helper remembers: it is asked about what it has

$call = call_up($mary, $core);
$ng->{web}{id($call)} = { state => 'failed' };
push @ended, map { others($_) } 1 .. 2000;
$ng->{forgotten} = @ended - 3;

ended($call, 'SIP;cause=488;text="DTLS failed"', 'forgotten');

# its own call is not known any more

$call = call_up($mary, $core);
delete $ng->{calls}{id($call)};
$ng->{strict} = 1;
push @ended, [ id($call), 'no media' ];

ended($call, 'SIP;cause=503;text="no media"', 'no media');
$ng->{strict} = 0;

is(status()->{dialogs}, 0, 'no call is left');
is(status()->{media_ended}, 7, 'counted');

# off: consent ends nothing, the rest does

conf('off');
$mary->close();
$t->reload();
IMS::Loop::wait_for(sub { $t->read_file('error.log')
    =~ /(?:gracefully shutting down.*){2}/s }, 30);
$mary = IMS::Loop::wait_for(sub {
    eval { IMS::Browser->open(token => $jwt->token('mary')) } }, 20);
$mary->register();

$call = call_up($mary, $core);
$ng->{web}{id($call)} = { 'media lost' => \1 };
push @ended, [ id($call), 'media lost' ];
ok(told(), 'off: told of lost consent');
ok($mary->none('BYE', 3), 'off: the call goes on');

$ng->{web}{id($call)} = { state => 'failed' };
push @ended, [ id($call), 'dtls failed' ];
ended($call, 'SIP;cause=488;text="DTLS failed"', 'off');

$call = call_up($mary, $core);
is(hang_up($mary, $call->{web}, $core), 200, 'calls as ever');

# a helper that tells nothing of their quality

unlike($t->read_file('error.log'), qr/media of call "/, 'no line on that');

$mary->close();

###############################################################################

# as the helper knows it

sub id {
    my ($call) = @_;
    my $id = $call->{sent}->h('Call-ID');

    $call->{id} ||= (map { $_->{'call-id'} }
        grep { index($_->{'call-id'}, "$id~") == 0 } $ng->seen('offer'))[0];

    return $call->{id};
}

sub others { return [ "other$_[0]~00000000o", 'media lost' ] }

# all workers know of all

sub told {
    $ng->{since} = {};

    return IMS::Loop::wait_for(sub {
        2 <= grep { $_ >= @ended } values %{$ng->{since}} }, 20);
}

sub ended {
    my ($call, $reason, $name) = @_;

    for my $end ([ $mary => 'browser' ], [ $core => 'core' ]) {
        my $bye = $end->[0]->expect('BYE', 30);
        is($bye && $bye->h('Reason'), $reason, "$name: BYE to the $end->[1]");
        $end->[0]->reply($bye, 200, 'OK') if $bye;
    }
}

sub status {
    return IMS::Browser::api('GET', path => '/ims/status')->{json}{pools}[0];
}
