#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# UPDATE (RFC 3311) and hold (RFC 3264 8.4) from both sides, early and in a
# call.

use warnings;
use strict;

use FindBin;
use Test::More;
use Time::HiRes qw/ time /;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Call qw/ call_up call_down hang_up sdp_body /;
use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IMS::SDP qw/ web_sdp ims_sdp /;
use IMS::SIP;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(67);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));
my @sdp = ('Content-Type' => 'application/sdp');
my $version = 10;

$mary->register();

# the last commands at the helper: names, who offered, directions

sub helper {
    my ($n) = @_;

    return join ' ', map { $_->{sdp} =~ /^a=(send\w+|recv\w+|inactive)\r$/m;
        "$_->{command} $1" } @{$ng->{log}}[-$n .. -1];
}

# a request with an offer, its answer, both by the helper

sub exchange {
    my ($up, $method, $dialog, $offer, $answer) = @_;
    my ($from, $to) = $up ? ($mary, $core) : ($core, $mary);

    $version++;

    my %sdp = (web => \&web_sdp, ims => \&ims_sdp);
    my $mine = $sdp{$up ? 'web' : 'ims'}->(version => $version,
        direction => $offer);
    my $yours = $sdp{$up ? 'ims' : 'web'}->(version => $version,
        direction => $answer);

    $mine =~ s/^c=.*?\r$/c=IN IP4 0.0.0.0\r/m if $offer eq 'inactive';

    my $sent = $from->within($dialog, $method, sdp_body($mine));
    my $seen = $to->expect($method);

    like($seen->{body}, $up ? qr!RTP/AVP! : qr/SAVPF/,
        "$method, $offer: the offer of the helper");

    $to->reply($seen, 200, 'OK', headers => [ Contact => $to->contact(),
        @sdp ], body => $yours);

    my $ok = $from->final($method);

    is($ok->{code}, 200, 'answered');
    like($ok->{body}, $up ? qr/SAVPF/ : qr!RTP/AVP!,
        'the answer of the helper');
    is(helper(2), "offer $offer answer $answer", 'in order');

    if ($method eq 'INVITE') {
        $from->within($dialog, 'ACK');
        is($to->expect('ACK')->cseq(), $seen->cseq(), 'ACK');
    }
}

# early: from the browser to a branch, and back

my $sent = $mary->start('INVITE', sdp_body(web_sdp()));
my $seen = $core->expect('INVITE');

my $answer = $core->reply($seen, 183, 'Session Progress', tag => 'far',
    headers => [ Contact => $core->contact(), @sdp ], body => ims_sdp());
my $early = $mary->expect('183');
my $web = $mary->dialog($sent, $early, 1);
my $far = $core->dialog($seen, $answer, 0);

exchange(1, 'UPDATE', $web, 'sendonly', 'recvonly');
exchange(0, 'UPDATE', $far, 'sendrecv', 'sendrecv');

$core->reply($seen, 200, 'OK', tag => 'far', headers => [
    Contact => $core->contact(), @sdp ], body => ims_sdp());
$mary->expect('200 INVITE');
$mary->within($web, 'ACK', cseq => $sent->cseq());
is($core->expect('ACK')->cseq(), $seen->cseq(), 'ACK');

# in the call

for my $up (1, 0) {
    my $dialog = $up ? $web : $far;

    exchange($up, 'UPDATE', $dialog, 'sendrecv', 'sendrecv');
    exchange($up, 'INVITE', $dialog, 'sendonly', 'recvonly');
    exchange($up, 'INVITE', $dialog, 'inactive', 'inactive');
    exchange($up, 'INVITE', $dialog, 'sendrecv', 'sendrecv');
}

# an UPDATE without SDP is a refresh, and has no part in media

my $n = @{$ng->{log}};

$mary->within($web, 'UPDATE');
$seen = $core->expect('UPDATE');
is($seen->{body}, '', 'UPDATE without SDP');
$core->reply($seen, 200, 'OK', headers => [
    Contact => '<sip:moved@' . $core->host() . '>' ]);
is($mary->final('UPDATE')->{code}, 200, 'answered');
is(scalar @{$ng->{log}}, $n, 'helper not asked');

# it has moved the far end, and one of the core moves the browser

$mary->within($web, 'INFO');
$seen = $core->expect('INFO');
is($seen->{uri}, 'sip:moved@' . $core->host(), 'new target of the far end');
$core->reply($seen, 200, 'OK');
$mary->final('INFO');

$core->within($far, 'UPDATE');
$seen = $mary->expect('UPDATE');
$mary->reply($seen, 200, 'OK', headers => [
    Contact => '<sip:elsewhere@page.invalid;transport=ws>' ]);
is($core->final('UPDATE')->{code}, 200, 'UPDATE of the core');
$core->within($far, 'INFO');
$seen = $mary->expect('INFO');
is($seen->{uri}, 'sip:elsewhere@page.invalid;transport=ws',
    'new target of the browser');
$mary->reply($seen, 200, 'OK');
$core->final('INFO');

# refused: 491 in each direction, and the call goes on

for my $up (1, 0) {
    my ($from, $to, $dialog) = $up ? ($mary, $core, $web)
        : ($core, $mary, $far);

    $from->within($dialog, 'UPDATE',
        sdp_body($up ? web_sdp(version => 90) : ims_sdp(version => 90)));
    $to->reply($to->expect('UPDATE'), 491, 'Request Pending');
    is($from->final('UPDATE')->{code}, 491, 'UPDATE refused: 491');
}

is(hang_up($core, $far, $mary), 200, 'BYE');
$ng->wait_for('delete', 1);
is(scalar(my @d = $ng->seen('delete')), 1, 'deleted once');

# early, in a call to the browser

$sent = $core->terminating('INVITE', to => $mary->{impu},
    sdp_body(ims_sdp()));
$seen = $mary->expect('INVITE');
$answer = $mary->reply($seen, 183, 'Session Progress', tag => 'page',
    headers => [ Contact => $mary->contact(), @sdp ], body => web_sdp());
$early = $core->expect('183');
$far = $core->dialog($sent, $early, 1);
$web = $mary->dialog($seen, $answer, 0);

exchange(0, 'UPDATE', $far, 'sendonly', 'recvonly');
exchange(1, 'UPDATE', $web, 'sendrecv', 'sendrecv');

$mary->reply($seen, 603, 'Decline', tag => 'page');
my $r = $core->final('INVITE');
is($r->{code}, 603, 'and then declined');
$core->same_hop($sent, 'ACK', $r->h('To'));
$ng->wait_for('delete', 2);
is(scalar(@d = $ng->seen('delete')), 2, 'deleted once');

$mary->close();
