#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The messages of RFC 4475 and RFC 5118 through a real portal: from a browser,
# from the core as they are, and from the core towards the browser. What each
# gets is in t/data/README.md, too.

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
use IMS::NG;
use IMS::SIP;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

# the answers from a browser, from the core, from the core with the Route of a
# browser; 488: passed on, for this is what the other end answers here; 0: none

my @cases = map { [ split ] } grep { /\S/ } split /\n/, <<'EOT';
rfc4475/wsinv                              481 481 481
rfc4475/intmeth                            400 400 400
rfc4475/esc01                              488 404 488
rfc4475/escnull                            403 404 405
rfc4475/esc02                              405 404 488
rfc4475/lwsdisp                            488 200 488
rfc4475/longreq                            488 404 488
rfc4475/dblreq                             400 404 405
rfc4475/semiuri                            488 200 488
rfc4475/transports                         488 200 488
rfc4475/mpart01                            488 404 488
rfc4475/unreason                             0   0   0
rfc4475/noreason                             0   0   0
rfc4475/badinv01                           400 400 400
rfc4475/clerr                              400 400 400
rfc4475/ncl                                400 400 400
rfc4475/scalar02                           400 400 400
rfc4475/scalarlg                             0   0   0
rfc4475/quotbal                            400 400 400
rfc4475/ltgtruri                           400 400 400
rfc4475/lwsruri                            400 400 400
rfc4475/lwsstart                           400 400 400
rfc4475/trws                               400 400 400
rfc4475/escruri                            400 400 400
rfc4475/baddate                            488 404 488
rfc4475/regbadct                           400 400 400
rfc4475/badaspec                           400 400 400
rfc4475/baddn                              400 400 400
rfc4475/badvers                            505 505 505
rfc4475/mismatch01                         400 400 400
rfc4475/mismatch02                         400 400 400
rfc4475/bigcode                              0   0   0
rfc4475/badbranch                          488 200 488
rfc4475/insuf                              400 400 400
rfc4475/unkscm                             416 416 416
rfc4475/novelsc                            416 416 416
rfc4475/unksm2                             403 404 405
rfc4475/bext01                             420 420 420
rfc4475/invut                              415 404 415
rfc4475/regaut01                           403 404 405
rfc4475/multi01                            400 400 400
rfc4475/mcl01                              400 400 400
rfc4475/bcast                                0   0   0
rfc4475/zeromf                             483 200 483
rfc4475/cparam01                           403 404 405
rfc4475/cparam02                           403 404 405
rfc4475/regescrt                           403 404 405
rfc4475/sdp01                              488 404 488
rfc4475/inv2543                            488 404 488
rfc5118/ipv6-good                          403 404 405
rfc5118/ipv6-bad                           400 400 400
rfc5118/port-ambiguous                     403 404 405
rfc5118/port-unambiguous                   403 404 405
rfc5118/via-received-param-with-delim      481 481 481
rfc5118/via-received-param-no-delim        488 200 488
rfc5118/ipv6-in-sdp                        488 404 488
rfc5118/mult-ip-in-header                  481 481 481
rfc5118/mult-ip-in-sdp                     488 404 488
rfc5118/ipv4-mapped-ipv6                   488 404 488
rfc5118/ipv6-bug-abnf-3-colons             488 200 488
rfc5118/ipv6-correct-abnf-2-colons         488 200 488
EOT

my $t = Test::Nginx->new()->has(qw/ http /)->plan(3 * @cases + 7);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf',
    ims_conf(media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');
my $core = IMS::Core->new()->registrar();

$t->run();

my $mary = IMS::Browser->open(token => $jwt->token('mary'));
$mary->register();

my $path = $core->{registered}{$mary->{impu}}{path};

for my $method (qw/ INVITE OPTIONS MESSAGE BYE REGISTER NEWMETHOD /,
    'RE%47IST%45R')
{
    $mary->{on}{$method} = sub { $_[0]->reply($_[1], 488, 'Passed') };
    $core->{on}{$method} = $mary->{on}{$method} unless $method eq 'REGISTER';
}

my ($pid) = ims_workers($t);

for my $case (@cases) {
    my ($name, @expected) = @$case;
    my $bytes = slurp("$FindBin::Bin/data/$name.sip");

    $name =~ /mpart01|intmeth/ ? $mary->send_binary($bytes)
        : $mary->emit($bytes);
    $mary->emit(fence($mary));
    is(answer($mary, $bytes, $expected[0]), $expected[0],
        "$name over WebSocket");

    # the answer goes to the topmost Via, so there is one of the core

    $core->emit(on_top($bytes, Via => $core->via()));
    $core->emit(fence($core));
    is(answer($core, $bytes, $expected[1]), $expected[1],
        "$name from the core");

    $core->emit(on_top($bytes, Via => $core->via(), Route => $path));
    $core->emit(fence($core));
    is(answer($core, $bytes, $expected[2]), $expected[2],
        "$name towards the browser");
}

# all is as before

ok($mary->is_open(), 'socket still open');
is(join(' ', ims_workers($t)), $pid, 'the same worker');

delete $_->{on}{MESSAGE} for $mary, $core;

is($mary->register()->{code}, 200, 'REGISTER');
$mary->start('MESSAGE', body => 'up');
my $r = $core->expect('MESSAGE');
is($r->{body}, 'up', 'MESSAGE up');
$core->reply($r, 200, 'OK');
is($mary->final('MESSAGE')->{code}, 200, 'answered');

$core->terminating('MESSAGE', to => $mary->{impu}, body => 'down');
$r = $mary->expect('MESSAGE');
is($r->{body}, 'down', 'MESSAGE down');
$mary->reply($r, 200, 'OK');
is($core->final('MESSAGE')->{code}, 200, 'answered');

# The code of the final answer, 0 when there is none. Whoever expects none
# waits for what is answered behind it.

sub answer {
    my ($ua, $bytes, $expected) = @_;

    my ($id) = $bytes =~ /^(?:Call-ID|i)\s*:\s*(\S+)/mi;
    my ($cseq) = $bytes =~ /^CSeq\s*:\s*(\d+)/mi;

    my $msg = IMS::Loop::wait_for(sub {
        my @final = grep { $_->{code} && $_->{code} >= 200 } @{$ua->{queue}};
        my ($own) = grep { $_->cseq() eq $cseq
            && (!defined $id || $_->h('Call-ID') eq $id) } @final;

        return $own || $ua->{bad}[0] || !$expected
            && grep { $_->h('Call-ID') =~ /^fence/ } @final;
    }, 2);

    $ua->forget();
    $ua->{count} = {};

    return ref $msg ? $msg->{code}
        : @{$ua->{bad}} ? 'malformed: ' . shift @{$ua->{bad}} : 0;
}

# a request that the portal itself answers

sub fence {
    my ($ua) = @_;
    my $id = IMS::SIP::unique('fence');

    return "OPTIONS sip:ims.operator.example SIP/2.0\r\n"
        . 'Via: ' . $ua->via() . "\r\n"
        . "Max-Forwards: 0\r\nFrom: <sip:x\@y>;tag=1\r\nTo: <sip:x\@y>\r\n"
        . "Call-ID: $id\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
}

sub on_top {
    my ($bytes, %lines) = @_;
    my $lines = join '', map { "$_: $lines{$_}\r\n" } sort keys %lines;

    return $bytes =~ s/\r\n/\r\n$lines/r;
}

sub slurp {
    my ($file) = @_;

    open my $fh, '<:raw', $file or die "can't open $file: $!\n";
    local $/;

    return scalar <$fh>;
}
