#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Reliable provisional answers of the core (RFC 3262): the portal acknowledges
# them for a browser that does not know them, and maps their numbers for one
# that does when branches are shown as one.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Call qw/ hang_up sdp_body /;
use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IMS::SDP qw/ web_sdp ims_sdp /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(58);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));
my @sdp = ('Content-Type' => 'application/sdp');
my $own = $core->host();

$mary->register();

# a reliable answer of a branch

sub reliable {
    my ($seen, $code, $tag, $rseq, %o) = @_;

    my $msg = $seen->response($code, 'Reliably', tag => $tag,
        headers => [ Contact => "<sip:$tag\@$own>", Require => '100rel',
            RSeq => $rseq, ($o{body} ? @sdp : ()) ], body => $o{body});

    unshift @{$msg->{headers}},
        [ 'Record-Route' => "<sip:$tag-way\@$own;lr>" ];
    $core->emit($msg->bytes(), $seen->{from});

    return $msg;
}

# a browser without 100rel

my $sent = $mary->start('INVITE', body => web_sdp(),
    headers => [ @sdp, Supported => 'outbound' ]);
my $seen = $core->expect('INVITE');

like(join(',', $seen->all('Supported')), qr/\b100rel\b/, '100rel is offered');

my $msg = reliable($seen, 183, 'a', 900, body => ims_sdp(port => 41000));
my $prack = $core->expect('PRACK');

is($prack->h('RAck'), '900 1 INVITE', 'PRACK of the portal');
is($prack->{uri}, "sip:a\@$own", 'to the Contact');
is($prack->h('Route'), "<sip:a-way\@$own;lr>", 'by the route');
is($prack->tag('To'), 'a', 'in the dialog');
is($prack->h('From'), $seen->h('From'), 'for Mary');
is($prack->cseq(), 2, 'next CSeq');

my $early = $mary->expect('183');

like($early->{body}, qr/^s=answer1\r.*SAVPF/ms, 'shown');
is($early->h('RSeq'), undef, 'without RSeq');
is($early->h('Require'), undef, 'and Require');

$msg->{reason} = 'again';
$core->emit($msg->bytes() =~ s/Reliably/Again/r, $seen->{from});
ok($mary->none('183', 0.3), 'a repetition is not shown');
is(scalar(my @p = $core->seen('PRACK')), 1, 'nor acknowledged again');

reliable($seen, 180, 'a', 902);
ok($mary->none('180', 0.3), 'one ahead of its turn is dropped');
reliable($seen, 182, 'a', 901);
ok($mary->expect('182'), 'the next one is shown');
$core->reply($prack, 200, 'OK');
$prack = $core->expect('PRACK');
is($prack->h('RAck'), '901 1 INVITE', 'acknowledged');
is($prack->cseq(), 3, 'next CSeq');
$core->reply($prack, 200, 'OK');

# another branch counts for itself

reliable($seen, 183, 'b', 5, body => ims_sdp(port => 42000));
$prack = $core->expect('PRACK');
is($prack->h('RAck'), '5 1 INVITE', 'PRACK to another branch');
is($prack->cseq(), 2, 'its first');
is($prack->tag('To'), 'b', 'its tag');
is($mary->expect('183')->tag('To'), 'a', 'shown as the first');
$core->reply($prack, 200, 'OK');

# the first answers without SDP: the browser needs one

my $answer = $core->reply($seen, 200, 'OK', tag => 'a', headers => [
    Contact => "<sip:a\@$own>" ]);
my $ok = $mary->expect('200 INVITE');

like($ok->{body}, qr/SAVPF/, '200 has what its branch answered');
is($ok->h('Content-Type'), 'application/sdp', 'Content-Type');
like(($ng->seen('answer'))[-1]{sdp}, qr/41000/, 'the helper points to it');

my $web = $mary->dialog($sent, $ok, 1);
my $far = $core->dialog($seen, $answer, 0);

$mary->within($web, 'ACK', cseq => 1);
is($core->expect('ACK')->cseq(), 1, 'ACK has the CSeq of the INVITE');

$mary->within($web, 'INFO');

my $info = $core->expect('INFO');

is($info->cseq(), 4, 'the browser counts on behind two PRACKs');
$core->reply($info, 200, 'OK');
is($mary->final('INFO')->cseq(), 2, 'and does not know');
$core->within($far, 'INFO');
$mary->reply($mary->expect('INFO'), 200, 'OK');
is($core->final('INFO')->{code}, 200, 'INFO from there');
is(hang_up($mary, $web, $core), 200, 'BYE');

# a PRACK that fails ends nothing

$sent = $mary->start('INVITE', sdp_body(web_sdp()));
$seen = $core->expect('INVITE');
reliable($seen, 180, 'a', 1);
$core->reply($core->expect('PRACK'), 500, 'No');
ok($mary->expect('180'), 'PRACK refused, but it rings');
$core->reply($seen, 486, 'Busy Here');
is($mary->final('INVITE')->{code}, 486, 'until it is refused');
$mary->same_hop($sent, 'ACK');

# an INVITE without SDP is not offered to be answered reliably

$sent = $mary->start('INVITE');
$seen = $core->expect('INVITE');
unlike(join(',', $seen->all('Supported')), qr/100rel/, 'no SDP: no 100rel');
$core->reply($seen, 486, 'Busy Here');
$mary->final('INVITE');
$mary->same_hop($sent, 'ACK');

# a browser that knows 100rel sees one sequence of two branches

$sent = $mary->start('INVITE', body => web_sdp(),
    headers => [ @sdp, Supported => '100rel' ]);
$seen = $core->expect('INVITE');
is(scalar(my @s = $seen->all('Supported')), 1, 'its own offer');

reliable($seen, 183, 'a', 70, body => ims_sdp(port => 41000));
$early = $mary->expect('183');
is($early->h('RSeq'), 70, 'first branch');
ok($core->none('PRACK', 0.2), 'no PRACK of the portal');
reliable($seen, 180, 'b', 8);
my $second = $mary->expect('180');
is($second->h('RSeq'), 71, 'second branch follows');
is($second->tag('To'), 'a', 'in the same dialog');
like($second->h('Require'), qr/100rel/, 'reliable');
reliable($seen, 182, 'a', 71);
my $third = $mary->expect('182');
is($third->h('RSeq'), 72, 'first branch again');

$web = $mary->dialog($sent, $early, 1);

for my $case ([ 71, 'b', 8 ], [ 70, 'a', 70 ], [ 72, 'a', 71 ]) {
    my ($shown, $tag, $rseq) = @$case;

    $mary->within($web, 'PRACK', headers => [ RAck => "$shown 1 INVITE" ]);
    $prack = $core->expect('PRACK');
    is($prack->h('RAck'), "$rseq 1 INVITE", "PRACK to $shown");
    is($prack->tag('To'), $tag, 'goes to its branch');
    is($prack->{uri}, "sip:$tag\@$own", 'at its Contact');
    $core->reply($prack, 200, 'OK');
    my $r = $mary->final('PRACK');
    is($r->{code} . $r->tag('To'), '200a', 'answered');
}

$core->reply($seen, 200, 'OK', tag => 'a', headers => [
    Contact => "<sip:a\@$own>" ]);
$ok = $mary->expect('200 INVITE');
is($ok->{body}, '', '200 without SDP stays so');
$core->forget();
$mary->within($web, 'ACK', cseq => 1);
is($core->expect('ACK')->tag('To'), 'a', 'ACK');
is(hang_up($mary, $web, $core), 200, 'BYE');
$ng->wait_for('delete', 4);

# switched off

$mary->close();
$t->write_file_expand('nginx.conf', ims_conf(core => 'prack off;',
    media => 'unix:%%TESTDIR%%/ng.sock'));
$t->reload();
IMS::Loop::pause(0.5);

$mary = IMS::Browser->open(token => $jwt->token('mary'));
$mary->register();
$sent = $mary->start('INVITE', sdp_body(web_sdp()));
$seen = $core->expect('INVITE');
unlike(join(',', $seen->all('Supported')), qr/100rel/, 'off: not offered');
$core->reply($seen, 486, 'Busy Here');
is($mary->final('INVITE')->{code}, 486, 'refused');
$mary->same_hop($sent, 'ACK');

for my $line ('prack maybe', 'timer_c never', 'timer_c 10ms') {
    $t->write_file_expand('bad.conf', ims_conf(core => "$line;"));
    my ($name) = split / /, $line;
    like(ims_check($t, 'bad.conf'), qr/invalid \w+ "\w+" in "$name"/,
        "$line: refused");
}

$mary->close();
