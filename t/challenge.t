#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The core asks for credentials in requests other than REGISTER: the portal has
# them, the browser hears nothing of it (RFC 3261 22.2, RFC 7616, spec RG-10).

use warnings;
use strict;

use Digest::MD5 qw/ md5_hex /;
use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Call qw/ call_up call_down hang_up sdp_body /;
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

my $t = Test::Nginx->new()->has(qw/ http /)->plan(79);

my $jwt = IMS::JWT->new($t);

$t->write_file('secrets', "* password \"not to be told\"\n");
chmod 0600, $t->testdir() . '/secrets';

$t->write_file_expand('nginx.conf', ims_conf(
    register => 'digest secrets=%%TESTDIR%%/secrets',
    identity => 'sip:u001@acme.ims.operator.example '
        . 'impi=u001@ims.operator.example',
    media => 'unix:%%TESTDIR%%/ng.sock'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));
my @sdp = ('Content-Type' => 'application/sdp');
my $nonce = 'n0';

$mary->register();

sub challenge {
    my ($request, %o) = @_;

    my $code = $o{code} || 407;

    $core->reply($request, $code, 'Who?', tag => 'proxy', headers => [
        ($code == 407 ? 'Proxy-Authenticate' : 'WWW-Authenticate') =>
        "Digest realm=\"ims.operator.example\", nonce=\"$o{nonce}\", "
        . 'algorithm=MD5, qop="auth"' . ($o{stale} ? ', stale=true' : '') ]);
}

# the nonce count of a request with good credentials, else why not

sub good {
    my ($request, $name) = @_;

    my $value = $request->h($name || 'Proxy-Authorization');
    return 'no credentials' unless defined $value;

    my %p = $value =~ /(\w+)="?([^",]*)"?/g;

    return "username $p{username}"
        if $p{username} ne 'u001@ims.operator.example';
    return "uri $p{uri}" if $p{uri} ne $request->{uri};
    return "nonce $p{nonce}" if $p{nonce} ne $nonce;

    my $want = md5_hex(join ':',
        md5_hex("$p{username}:ims.operator.example:not to be told"),
        $nonce, $p{nc}, $p{cnonce}, 'auth',
        md5_hex("$request->{method}:$p{uri}"));

    return $p{response} eq $want ? hex $p{nc} : 'wrong response';
}

# challenges what comes; the request that comes for it

sub again {
    my ($method, %o) = @_;

    my $request = $core->expect($method);
    challenge($request, nonce => $nonce = $o{nonce}, %o);

    my $second = $core->expect($method);
    is(good($second, $o{name}), 1, "$method again, with credentials");
    cmp_ok($second->cseq(), '>', $request->cseq(), 'higher CSeq');
    isnt($second->branch(), $request->branch(), 'another branch');

    return $second;
}

# a call: INVITE is challenged, its ACK, and what follows, count on

my $sent = $mary->start('INVITE', sdp_body(web_sdp()));
my $seen = again('INVITE', nonce => 'n1');

is($core->expect('ACK')->tag('To'), 'proxy', 'ACK to the 407');
is($seen->tag('From'), $sent->tag('From'), 'same From tag');
is($seen->h('Call-ID'), $sent->h('Call-ID'), 'same Call-ID');
like($seen->{body}, qr/^s=offer1/m, 'its SDP');
is(scalar $ng->seen('offer'), 1, 'the helper was asked once');

$core->reply($seen, 180, 'Ringing', headers => [
    Contact => $core->contact() ]);

my $r = $mary->expect('180');

is($r->cseq(), 1, 'CSeq as the browser knows it');
is($r->h('Proxy-Authenticate'), undef, 'no challenge');

my $answer = $core->reply($seen, 200, 'OK', headers => [
    Contact => $core->contact(), @sdp ], body => ims_sdp());
my $ok = $mary->expect('200 INVITE');
my $web = $mary->dialog($sent, $ok, 1);
my $far = $core->dialog($seen, $answer, 0);

$mary->within($web, 'ACK');

my $ack = $core->expect('ACK');

is($ack->cseq(), $seen->cseq(), 'ACK with the CSeq of the INVITE');
is($ack->tag('To'), $ok->tag('To'), 'to who answered');

$mary->within($web, 'INFO');

my $info = $core->expect('INFO');

is(good($info), 2, 'INFO: same nonce, next count');
is($info->cseq(), 3, 'CSeq goes on');
$core->reply($info, 200, 'OK');
is($mary->final('INFO')->cseq(), 2, 'as the browser knows it');

# challenged within the dialog: 401 and 407, a nonce that is too old

$mary->within($web, 'UPDATE', sdp_body(web_sdp(version => 3)));
my $update = again('UPDATE', nonce => 'n2', code => 401, stale => 1,
    name => 'Authorization');
$core->reply($update, 200, 'OK', headers => [ Contact => $core->contact(),
    @sdp ], body => ims_sdp());
is($mary->final('UPDATE')->{code}, 200, 'UPDATE answered');

my $re = $mary->within($web, 'INVITE', sdp_body(web_sdp(version => 4)));
$seen = again('INVITE', nonce => 'n3');
$core->expect('ACK');
$core->reply($seen, 200, 'OK', headers => [ Contact => $core->contact(),
    @sdp ], body => ims_sdp());
is($mary->expect('200 INVITE')->cseq(), $re->cseq(), 're-INVITE answered');
$mary->within($web, 'ACK');
is($core->expect('ACK')->cseq(), $seen->cseq(), 'ACK to it');

$core->within($far, 'INFO');
$mary->reply($mary->expect('INFO'), 200, 'OK');
is($core->final('INFO')->{code}, 200, 'INFO from the core is not touched');

$mary->within($web, 'BYE');
my $bye = again('BYE', nonce => 'n4');
$core->reply($bye, 200, 'OK');
is($mary->final('BYE')->{code}, 200, 'BYE answered');
$ng->wait_for('delete');

# outside of a dialog

for my $method (qw/ MESSAGE OPTIONS /) {
    $mary->start($method, headers => [ 'Content-Type' => 'text/plain' ],
        body => 'hello');
    $core->reply(again($method, nonce => "m$method"), 200, 'OK');
    is($mary->final($method)->{code}, 200, 'answered');
}

# a subscription counts on behind it, and so does a transfer in a call

my $impu = $mary->{impu};

$sent = $mary->start('SUBSCRIBE', to => $impu, uri => $impu,
    headers => [ Event => 'presence', Expires => 600 ]);
$seen = again('SUBSCRIBE', nonce => 's1');
$answer = $core->reply($seen, 200, 'OK', tag => 'watched', headers => [
    Contact => $core->contact(), Expires => 600 ]);
$ok = $mary->final('SUBSCRIBE');
is($ok->{code}, 200, 'subscribed');
$far = $core->dialog($seen, $answer, 0);
$web = $mary->dialog($sent, $ok, 1);
$core->within($far, 'NOTIFY', headers => [ Event => 'presence',
    Contact => $core->contact(), 'Subscription-State' => 'active' ]);
$mary->reply($mary->expect('NOTIFY'), 200, 'OK');
is($core->final('NOTIFY')->{code}, 200, 'notified');
$mary->within($web, 'SUBSCRIBE', headers => [ Event => 'presence',
    Expires => 0, Contact => $mary->contact() ]);
$seen = $core->expect('SUBSCRIBE');
is($seen->cseq(), 3, 'CSeq goes on');
$core->reply($seen, 200, 'OK', headers => [ Expires => 0 ]);
is($mary->final('SUBSCRIBE')->cseq(), 2, 'as the browser knows it');

my $talk = call_up($mary, $core);

$mary->within($talk->{web}, 'REFER', headers => [
    'Refer-To' => '<sip:carol@ims.operator.example>',
    Contact => $mary->contact() ]);
$seen = again('REFER', nonce => 'r1');
$core->reply($seen, 202, 'Accepted', headers => [
    Contact => $core->contact() ]);
is($mary->final('REFER')->{code}, 202, 'referred');

for my $event ('refer', 'refer;id=' . $seen->cseq()) {
    $core->within($talk->{core}, 'NOTIFY', headers => [ Event => $event,
        Contact => $core->contact(), 'Subscription-State' => 'active',
        'Content-Type' => 'message/sipfrag' ], body => "SIP/2.0 100 Trying");
    my $notify = $mary->expect('NOTIFY');
    ok($notify, "NOTIFY of $event");
    $mary->reply($notify, 200, 'OK');
    is($core->final('NOTIFY')->{code}, 200, 'answered');
}

hang_up($core, $talk->{core}, $mary);

# too old once more is answered again, but not for ever

$mary->start('MESSAGE', body => 'hello');
$seen = again('MESSAGE', nonce => 'o1');
challenge($seen, nonce => $nonce = 'o2', stale => 1);
$seen = $core->expect('MESSAGE');
is(good($seen), 1, 'stale: again');
challenge($seen, nonce => $nonce = 'o3', stale => 1);
$seen = $core->expect('MESSAGE');
is(good($seen), 1, 'and again');
challenge($seen, nonce => 'o4', stale => 1);
is($mary->final('MESSAGE')->{code}, 403, 'not a fourth time');

# the secret is wrong: the browser gets a 403, and no loop

$mary->start('MESSAGE', body => 'hello');
$seen = again('MESSAGE', nonce => 'w1');
challenge($seen, nonce => 'w2');
$r = $mary->final('MESSAGE');
is($r->{code}, 403, 'refused: 403');
unlike($r->{raw}, qr/Authenticate|nonce/, 'no challenge');
ok($core->none('MESSAGE'), 'no third try');

# CANCEL crosses the challenge

$sent = $mary->start('INVITE', sdp_body(web_sdp()));
$seen = $core->expect('INVITE');
$core->reply($seen, 100, 'Trying');
$mary->same_hop($sent, 'CANCEL');
$mary->final('CANCEL');
$core->expect('CANCEL');
challenge($seen, nonce => 'c1');
is($mary->final('INVITE')->{code}, 487, 'CANCEL crosses a challenge: 487');
ok($core->none('INVITE'), 'no INVITE again');

# CANCEL of the INVITE that was repeated

$sent = $mary->start('INVITE', sdp_body(web_sdp()));
$seen = again('INVITE', nonce => 'c2');
$core->reply($seen, 180, 'Ringing', headers => [
    Contact => $core->contact() ]);
$mary->expect('180');
$mary->same_hop($sent, 'CANCEL');
my $cancel = $core->expect('CANCEL');
is($cancel->branch(), $seen->branch(), 'CANCEL has the branch of the second');
is($cancel->cseq(), $seen->cseq(), 'and its CSeq');
$core->reply($cancel, 200, 'OK');
$core->reply($seen, 487, 'Request Terminated');
is($mary->final('INVITE')->{code}, 487, 'ended');

# the portal's own BYE is challenged, too, with the browser there and without

my $call = call_up($mary, $core);
$mary->close(1001);
$bye = again('BYE', nonce => 'b1');
is($bye->tag('To'), $call->{ok}->tag('To'), 'BYE of the portal');
$core->reply($bye, 200, 'OK');

# no secret of ours is in any log

for my $log ('error.log', 'access.log') {
    unlike($t->read_file($log), qr/not to be told/, "secret not in $log");
}

like($t->read_file('error.log'), qr/refuses the secret of "u001/,
    'a refused secret is in the log');
