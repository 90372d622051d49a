#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# An INVITE of the browser that the core forks: several To tags, which the
# browser takes for one dialog (RFC 3261 12.1, 13.2.2.4, RFC 6228).

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

my $t = Test::Nginx->new()->has(qw/ http /)->plan(59);

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

# what a branch says: its tag, its Contact, its route

sub branch {
    my ($seen, $code, $tag, %o) = @_;

    my $msg = $seen->response($code, 'From a branch', tag => $tag,
        headers => [ Contact => "<sip:$tag\@$own>",
            ($o{body} ? @sdp : ()), @{$o{headers} || []} ],
        body => $o{body});

    unshift @{$msg->{headers}},
        [ 'Record-Route' => "<sip:$tag-way\@$own;lr>" ];
    $core->emit($msg->bytes(), $seen->{from});

    return $msg;
}

sub dialogs {
    my $r = IMS::Browser::api('GET', path => '/ims/status');

    return $r->{json}{pools}[0]{dialogs};
}

# three ring, with and without media, one without a tag, the second answers

my $sent = $mary->start('INVITE', sdp_body(web_sdp()));
my $seen = $core->expect('INVITE');

branch($seen, 183, 'one', body => ims_sdp(port => 41000));

my $first = $mary->expect('183');

is($first->tag('To'), 'one', 'first branch');
like($first->{body}, qr/^s=answer1\r.*SAVPF/ms, 'its media');

branch($seen, 180, 'two');

my $r = $mary->expect('180');

is($r->tag('To'), 'one', 'second branch has the same tag');
is($r->{body}, '', 'no media');

branch($seen, 183, 'two', body => ims_sdp(port => 42000));
$r = $mary->expect('183');
is($r->tag('To'), 'one', 'its media have it, too');
is(($ng->seen('answer'))[-1]{'to-tag'}, 'two', 'the helper is told its own');
like(($ng->seen('answer'))[-1]{sdp}, qr/42000/, 'and points there');

my $plain = $seen->response(181, 'Forwarded');
$plain->set(To => $seen->h('To'));
$core->emit($plain->bytes(), $seen->{from});
$r = $mary->expect('181');
ok($r, '18x without a tag');
is($r->h('To'), $sent->h('To'), 'has none');

branch($seen, 180, 'three');
ok($mary->expect('180'), 'third branch');
is(dialogs(), 3, 'a record each');
branch($seen, 199, 'three');
ok($mary->none('199', 0.3), '199 is none of its business');
is(dialogs(), 2, 'that record is gone');

# a branch asks something: in its own dialog there, in the one here

my $two = $core->dialog($seen, branch($seen, 180, 'two'), 0);
my $one = $core->dialog($seen, branch($seen, 180, 'one'), 0);

$core->within($two, 'INFO');
my $info = $mary->expect('INFO');
is($info->tag('From'), 'one', 'INFO of the second branch');
my $cseq = $info->cseq();
$mary->reply($info, 200, 'OK');
$r = $core->final('INFO');
is($r->{code}, 200, 'answered');
is($r->tag('From'), 'two', 'with its tag');

$one->{cseq} = 10;
$core->within($one, 'INFO');
$info = $mary->expect('INFO');
cmp_ok($info->cseq(), '>', $cseq, 'that of the first counts on');
$cseq = $info->cseq();
$mary->reply($info, 200, 'OK');
$r = $core->final('INFO');
is($r->cseq(), 11, 'and back');

# the browser asks something: the branch that was heard of last

my $web = $mary->dialog($sent, $first, 1);
$mary->within($web, 'INFO');
ok($core->expect('INFO') , 'INFO in an early dialog');
$core->reply(($core->seen('INFO'))[-1], 200, 'OK');
$mary->final('INFO');

# the second answers, and after it the first

branch($seen, 200, 'two', body => ims_sdp(port => 42000));

my $ok = $mary->expect('200 INVITE');

is($ok->tag('To'), 'one', '200 of the second has the tag of the first');
like($ok->{body}, qr/SAVPF/, 'an answer');
like(($ng->seen('answer'))[-1]{sdp}, qr/42000/, 'the helper points to it');
is(dialogs(), 1, 'one dialog is left');

my $late = branch($seen, 200, 'one', body => ims_sdp(port => 41000));
my $ack = $core->expect('ACK');

is($ack->tag('To'), 'one', 'the first answered, too: ACK');
is($ack->{uri}, "sip:one\@$own", 'to its Contact');
is($ack->h('Route'), "<sip:one-way\@$own;lr>", 'by its route');

my $bye = $core->expect('BYE');

is($bye->tag('To'), 'one', 'and BYE');
is($bye->{uri}, "sip:one\@$own", 'to its Contact');
cmp_ok($bye->cseq(), '>', $late->cseq(), 'higher CSeq');
$core->reply($bye, 200, 'OK');

branch($seen, 200, 'one', body => ims_sdp(port => 41001));
is($core->expect('ACK')->tag('To'), 'one', 'again: ACK');
ok($core->none('BYE', 0.3), 'no second BYE');
ok($mary->none('200 INVITE', 0.1), 'the browser hears nothing of it');

# the browser goes on with what it knows: the Contact of the first

$mary->within($web, 'ACK', cseq => 1);
$ack = $core->expect('ACK');

is($ack->tag('To'), 'two', 'ACK to the second');
is($ack->{uri}, "sip:two\@$own", 'at its Contact');
is($ack->h('Route'), "<sip:two-way\@$own;lr>", 'by its route');

$mary->within($web, 'INVITE', sdp_body(web_sdp(version => 3)));
my $re = $core->expect('INVITE');

is($re->tag('To'), 'two', 're-INVITE to the second');
is($re->{uri}, "sip:two\@$own", 'at its Contact');
is(($ng->seen('offer'))[-1]{'to-tag'}, 'two', 'the helper hears its tag');

$core->reply($re, 200, 'OK', headers => [ Contact => "<sip:moved\@$own>",
    @sdp ], body => ims_sdp(port => 42000));
$r = $mary->expect('200 INVITE');
is($r->tag('To'), 'one', 'answer as the browser knows it');
$mary->within($web, 'ACK');
is($core->expect('ACK')->{uri}, "sip:moved\@$own", 'ACK to the new Contact');

$two->{cseq} = 4001;
$core->within($two, 'INVITE', sdp_body(ims_sdp(version => 2)));
$re = $mary->expect('INVITE');
is($re->tag('From'), 'one', 're-INVITE of the second');
cmp_ok($re->cseq(), '>', $cseq, 'counts on');
is(($ng->seen('offer'))[-1]{'from-tag'}, 'two', 'the helper hears its tag');
$mary->reply($re, 200, 'OK', headers => [ Contact => $mary->contact(), @sdp ],
    body => web_sdp(version => 4));
$r = $core->expect('200 INVITE');
is($r->tag('From'), 'two', 'answered');
is(($ng->seen('answer'))[-1]{'from-tag'}, 'two', 'the helper, too');
$core->within($two, 'ACK');
is($mary->expect('ACK')->cseq(), $re->cseq(), 'ACK with the CSeq known there');

# a BYE of the branch that lost is not one of the call

$core->within($one, 'BYE');
is($core->final('BYE')->{code}, 481, 'BYE of the first branch');

$core->within($two, 'BYE');
$bye = $mary->expect('BYE');
is($bye->tag('From'), 'one', 'BYE of the second');
$mary->reply($bye, 200, 'OK');
is($core->final('BYE')->{code}, 200, 'answered');
is(dialogs(), 0, 'nothing is left');
$ng->wait_for('delete');
is(scalar $ng->seen('delete'), 1, 'deleted once');

# the portal hangs up for the browser

$sent = $mary->start('INVITE', sdp_body(web_sdp()));
$seen = $core->expect('INVITE');
branch($seen, 180, 'red');
$mary->expect('180');
branch($seen, 200, 'blue', body => ims_sdp());
$ok = $mary->expect('200 INVITE');
is($ok->tag('To'), 'red', '200 of another branch');
$mary->within($mary->dialog($sent, $ok, 1), 'ACK');
is($core->expect('ACK')->tag('To'), 'blue', 'ACK');
$mary->close(1001);
$bye = $core->expect('BYE');
is($bye->tag('To'), 'blue', 'page closed: BYE');
is($bye->{uri}, "sip:blue\@$own", 'to its Contact');
$core->reply($bye, 200, 'OK');
is(dialogs(), 0, 'nothing is left');

# a call that is refused after two rang

$mary = IMS::Browser->open(token => $jwt->token('mary'));
$mary->register();
$sent = $mary->start('INVITE', sdp_body(web_sdp()));
$seen = $core->expect('INVITE');
branch($seen, 180, 'red');
branch($seen, 180, 'blue');
$mary->expect('180') for 1 .. 2;
is(dialogs(), 2, 'two ring');
branch($seen, 486, 'blue');
$r = $mary->final('INVITE');
is($r->{code}, 486, 'refused');
$mary->same_hop($sent, 'ACK', $r->h('To'));
is(dialogs(), 0, 'nothing is left');

$mary->close();
