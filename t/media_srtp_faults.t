#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# ims_portal_media_srtp prefer, when something is in the way of the second
# offer: credentials, the media helper, the browser.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ call_up hang_up sdp_body /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IMS::SDP qw/ web_sdp ims_sdp /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(35);

my $jwt = IMS::JWT->new($t);

$t->write_file('secrets', "* password \"not to be told\"\n");
chmod 0600, $t->testdir() . '/secrets';

$t->write_file_expand('nginx.conf', ims_conf(
    register => 'digest secrets=%%TESTDIR%%/secrets',
    identity => 'sip:u001@acme.ims.operator.example '
        . 'impi=u001@ims.operator.example',
    media => 'unix:%%TESTDIR%%/ng.sock', media_lost => '60s',
    http => 'ims_portal_media_srtp prefer;'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));

$mary->register();

# offers as the helper sees them

my ($sent, $seen) = refused();
my $second = $core->expect('INVITE');
is(join(' ', profiles()), 'RTP/SAVP RTP/AVP', 'with SRTP, then without');
is(scalar $ng->seen('delete'), 0, 'of one call');
like($second->{body}, qr/^s=offer2/m, 'the second goes to the core');
$core->reply($second, 486, 'Busy Here');
is($mary->final('INVITE')->{code}, 486, 'and is answered');
is(left(), 0, 'nothing is left');

# credentials for the first, and their next use for the second

$sent = $mary->start('INVITE', sdp_body(web_sdp()));
$seen = $core->expect('INVITE');
challenge($seen, 'n1');
$seen = $core->expect('INVITE');
is(nc($seen, 'n1'), 1, 'challenged: credentials');
$core->reply($seen, 488, 'Not Acceptable Here');
$second = $core->expect('INVITE');
is(nc($second, 'n1'), 2, 'challenged: the same nonce, used again');
is($second->cseq(), $seen->cseq() + 1, 'challenged: the next CSeq');

# ... which the core may not want twice

challenge($second, 'n2');
my $third = $core->expect('INVITE');
is(nc($third, 'n2'), 1, 'challenged again: credentials');
is($third->cseq(), $second->cseq() + 1, 'challenged again: the next CSeq');
like($third->{body}, qr/^s=offer/m, 'challenged again: the same offer');

$core->reply($third, 200, 'OK', headers => [ Contact => $core->contact(),
    'Content-Type' => 'application/sdp' ], body => ims_sdp());
my $ok = $mary->expect('200 INVITE');
my $web = $mary->dialog($sent, $ok, 1);
$mary->within($web, 'ACK');
ok(IMS::Loop::wait_for(sub { grep { $_->cseq() == $third->cseq() }
    $core->seen('ACK') }, 20), 'challenged again: ACK');

# what comes in the call counts on

@{$ng->{log}} = ();
$mary->within($web, 'INVITE', sdp_body(web_sdp(version => 3)));
$seen = $core->expect('INVITE');
cmp_ok($seen->cseq(), '>', $third->cseq(), 'within: CSeq goes up');
is(join(' ', profiles()), 'RTP/AVP', 'within: no SRTP');
$core->reply($seen, 488, 'Not Acceptable Here');
is($mary->final('INVITE')->{code}, 488, 'within: refused, and not again');
is(hang_up($mary, $web, $core), 200, 'within: hang up');
is(left(), 0, 'nothing is left');

# the helper does not want it

($sent, $seen) = refused(sub { $ng->mode('error', 'No usable media') });
is($mary->final('INVITE')->{code}, 488, 'the helper refuses: 488');
$ng->mode('answer');
ok($core->none('INVITE'), 'the helper refuses: nothing goes');
is(left(), 0, 'nothing is left');

# it says nothing

($sent, $seen) = refused(sub { $ng->mode('hold') });
is($mary->final('INVITE', 20)->{code}, 503, 'the helper is silent: 503');
$ng->release();
ok($core->none('INVITE'), 'the helper is silent: nothing goes');
is(left(), 0, 'nothing is left');

# the browser hangs up meanwhile

($sent, $seen) = refused(sub { $ng->mode('hold') });
ok(IMS::Loop::wait_for(sub { @{$ng->{held}} }, 20), 'hung up: it waits');
$mary->same_hop($sent, 'CANCEL');
is($mary->final('INVITE')->{code}, 487, 'hung up: 487');
$ng->release();
ok($core->none('INVITE'), 'hung up: nothing goes');
is(left(), 0, 'nothing is left');

# it is gone

($sent, $seen) = refused(sub { $ng->mode('hold') });
ok(IMS::Loop::wait_for(sub { @{$ng->{held}} }, 20), 'gone: it waits');
$mary->drop();
ok(IMS::Loop::wait_for(sub { status()->{sockets} == 0 }, 20), 'gone');
$ng->release();
ok($core->none('INVITE'), 'gone: nothing goes');
is(left(), 0, 'nothing is left');

# and as ever

$mary = IMS::Browser->open(token => $jwt->token('mary'),
    instance => $mary->{instance});
$mary->register();

# an answer that was given before it was refused has media: 488 is passed on

$sent = $mary->start('INVITE', sdp_body(web_sdp()));
$seen = $core->expect('INVITE');
$core->reply($seen, 183, 'Session Progress', headers => [
    Contact => $core->contact(), 'Content-Type' => 'application/sdp' ],
    body => ims_sdp());
ok($mary->expect('183'), 'early media');
$core->reply($seen, 488, 'Not Acceptable Here');

# what it was not heard to have heard comes once more

my $final = $mary->final('INVITE');
$final = $mary->final('INVITE')
    while $final && $final->h('Call-ID') ne $sent->h('Call-ID');
is($final->{code}, 488, 'early media: refused later');
is(left(), 0, 'nothing is left');

my $call = call_up($mary, $core);
is(hang_up($mary, $call->{web}, $core), 200, 'a call as ever');

$mary->close();

###############################################################################

# an INVITE whose SRTP the core refuses; before: what to do until then

sub refused {
    my ($before) = @_;

    @{$ng->{log}} = ();
    my $sent = $mary->start('INVITE', sdp_body(web_sdp()));
    my $seen = $core->expect('INVITE');

    $before->() if $before;
    $core->reply($seen, 488, 'Not Acceptable Here');

    return ($sent, $seen);
}

sub profiles { return map { $_->{'transport-protocol'} } $ng->seen('offer') }

sub challenge {
    my ($request, $nonce) = @_;

    $core->reply($request, 407, 'Who?', tag => 'proxy', headers => [
        'Proxy-Authenticate' => 'Digest realm="ims.operator.example", '
        . "nonce=\"$nonce\", algorithm=MD5, qop=\"auth\"" ]);
}

# how often the nonce was used

sub nc {
    my ($request, $nonce) = @_;
    my $value = $request->h('Proxy-Authorization') // '';

    return $value =~ /nonce="\Q$nonce\E"/ && $value =~ /nc=(\w+)/
        ? hex $1 : 0;
}

# calls at the helper and in the zone, after a while

sub left {
    my $n;

    IMS::Loop::wait_for(sub {
        my $dialogs = status()->{dialogs};
        $n = $dialogs + keys %{$ng->{calls}};
        return $n == 0;
    }, 20);

    return $n;
}

sub status {
    return IMS::Browser::api('GET', path => '/ims/status')->{json}{pools}[0];
}
