#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# What the core sends back to back is read by several workers, each of which
# hands it over by itself: the browser has it in the order of the core, once.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ call_up sdp_body /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::NG;
use IMS::SDP qw/ web_sdp ims_sdp /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my ($bursts, $length, $calls) = (20, 50, 20);

my $t = Test::Nginx->new()->has(qw/ http /)->plan(9);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    workers => 3, listen => '127.0.0.1:8080 reuseport',
    media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));
$mary->register();

# several requests at once, made before the first is sent

sub at_once {
    my ($make) = @_;
    my @bytes;

    {
        no warnings 'redefine';
        local *IMS::Core::emit = sub { push @bytes, [ @_[1, 2] ] };
        $make->();
    }

    $core->emit(@$_) for @bytes;
}

# a burst of requests in a call, from the far end's first one on

my $call = call_up($mary, $core);
my (@seen, @ok);

$mary->{on}{INFO} = sub {
    my ($web, $msg) = @_;

    push @seen, $msg->cseq();
    $web->reply($msg, 200, 'OK');
};

for my $n (1 .. $bursts) {
    at_once(sub { $core->within($call->{core}, 'INFO') for 1 .. $length });
    IMS::Loop::wait_for(sub { push @ok, splice @{$core->{queue}};
        @ok >= $n * $length });
}

my $first = $seen[0] || 0;
my $turned = grep { $seen[$_] < $seen[$_ - 1] } 1 .. $#seen;

is($first, 4001, 'the first one first');
is(scalar @seen, $bursts * $length, 'all came');
is($turned, 0, 'none before another');

is(scalar(grep { $_->{code} == 200 } @ok), @seen, 'each answered');
is($core->{again}, 0, 'none twice');

# ACK, requests and BYE in one go

delete $mary->{on}{INFO};
my ($in_order, @order) = (0);

for my $method (qw/ ACK INFO UPDATE BYE /) {
    $mary->{on}{$method} = sub {
        my ($web, $msg) = @_;

        push @order, $msg->{method};
        $web->reply($msg, 200, 'OK') if $method ne 'ACK';
    };
}

for (1 .. $calls) {
    my $sent = $core->terminating('INVITE', to => $mary->{impu},
        sdp_body(ims_sdp()));
    my $invite = $mary->expect('INVITE');
    my $answer = $mary->reply($invite, 200, 'OK', headers => [
        Contact => $mary->contact(), 'Content-Type' => 'application/sdp' ],
        body => web_sdp(setup => 'active'));
    my $dialog = $core->dialog($sent, $core->expect('200 INVITE'), 1);

    @order = ();
    at_once(sub { $core->within($dialog, $_)
        for qw/ ACK INFO INFO UPDATE INFO BYE / });
    IMS::Loop::wait_for(sub { @order == 6 });
    $in_order++ if "@order" eq 'ACK INFO INFO UPDATE INFO BYE';
}

is($in_order, $calls, 'ACK first, BYE last');

# the far end hangs up in the moment in which it answers

$in_order = 0;

for (1 .. $calls) {
    my $sent = $mary->start('INVITE', sdp_body(web_sdp()));
    my $invite = $core->expect('INVITE');

    # the browser may have read both before this goes on

    @order = ();
    my $first = @{$mary->{all}};
    at_once(sub {
        my $answer = $core->reply($invite, 200, 'OK', headers => [
            Contact => $core->contact(), 'Content-Type' => 'application/sdp'
            ], body => ims_sdp());
        $core->within($core->dialog($invite, $answer, 0), 'BYE');
    });

    my $ok = $mary->expect('200 INVITE') or next;
    IMS::Loop::wait_for(sub { @order == 1 });
    my @came = map { $_->{method} || $_->{code} }
        grep { $_->h('Call-ID') eq $sent->h('Call-ID') } @{$mary->{all}}[$first .. $#{$mary->{all}}];
    $in_order++ if "@came" =~ /^(?:1\d\d )*200 BYE$/
        && $core->final('BYE')->{code} == 200;
}

is($in_order, $calls, '200 before BYE');

$mary->close();
my $status = IMS::Browser::api('GET', path => '/ims/status')->{json};
cmp_ok($status->{pools}[0]{handed_over}, '>', $length, 'handed over');
is($status->{pools}[0]{dialogs}, 0, 'no call left')
    or diag $t->read_file('error.log') =~ /(\[error\].*)/;
