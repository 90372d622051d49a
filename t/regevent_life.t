#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Subscriptions to registrations themselves: refreshed in their dialog,
# challenged, forgotten or refused by the core, moved between workers.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::Digest;
use IMS::JWT;
use IMS::Loop;
use IMS::RegEvent;
use IMS::SIP;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(34);

my $jwt = IMS::JWT->new($t);

$t->write_file('secrets', "* password zanzibar\n");
chmod 0600, $t->testdir() . '/secrets';

$t->write_file_expand('nginx.conf', ims_conf(core => 'reg_event on;',
    register => 'digest secrets=%%TESTDIR%%/secrets', workers => 2));
$t->run();

my $core = IMS::Core->new()->registrar();
my $own = $core->host();
my $reg = IMS::RegEvent->new($core, expires => 2,
    record_route => [ "<sip:first\@$own;lr>", "<sip:second\@$own;lr>" ]);

sub subs { return $core->seen('SUBSCRIBE') }

sub wait_subs {
    my ($count, $seconds) = @_;

    return IMS::Loop::wait_for(sub { subs() >= $count }, $seconds || 3);
}

# refreshed at half of its life, within its dialog

my $mary = IMS::Browser->open(token => $jwt->token('mary'));
is($mary->register()->{code}, 200, 'registered');
ok(wait_subs(2), 'subscribed and refreshed');

my ($one, $two) = subs();
is($two->{uri}, "sip:notifier\@$own", 'to its target');
is($two->h('To'), $reg->{to}, 'within its dialog');
is($two->h('Call-ID'), $one->h('Call-ID'), 'same Call-ID');
is($two->cseq(), $one->cseq() + 1, 'next CSeq');
is(join(' ', map { IMS::SIP::uri_of($_) } $two->list('Route')),
    "sip:second\@$own;lr sip:first\@$own;lr", 'its route set');
cmp_ok($two->h('Expires'), '>', 0, 'as refresh');

# the core has forgotten it: another one

my $forgotten = 0;
$core->{on}{SUBSCRIBE} = sub {
    my ($self, $msg) = @_;
    return $reg->subscribe($msg) if $forgotten++;
    $self->reply($msg, 481, 'No');
};
my $before = subs();
ok(wait_subs($before + 2, 9), 'made anew');
isnt((subs())[-1]->h('Call-ID'), $one->h('Call-ID'), 'another dialog');
is((subs())[-1]->tag('To'), undef, 'from the beginning');

# the core ends it with a NOTIFY: another one

$reg->{expires} = 600;
IMS::Loop::wait_for(sub { $forgotten > 2 }, 3);
$before = subs();
$reg->notify('active', $reg->contact('active', 'registered'),
    subscription => 'terminated;reason=timeout');
is($core->final('NOTIFY')->{code}, 200, 'subscription ended');
ok(wait_subs($before + 1, 7), 'made anew');
is((subs())[-1]->tag('To'), undef, 'from the beginning');
$mary->close();
wait_subs($before + 2);
is((subs())[-1]->h('Expires'), 0, 'taken back when the browser left');

# challenged

my $john = IMS::Browser->open(token => $jwt->token('john'));
my @proofs;
$core->{on}{SUBSCRIBE} = sub {
    my ($self, $msg) = @_;
    my $name = @proofs ? 'Authorization' : 'Proxy-Authorization';
    my $p = credentials($msg->h('Proxy-Authorization'));
    push @proofs, $p;
    return $reg->subscribe($msg) if $p->{response}
        && $p->{response} eq digest_of($p, 'SUBSCRIBE', 'zanzibar');
    $self->reply($msg, 407, 'Who', headers => [ 'Proxy-Authenticate' =>
        'Digest realm="ims.operator.example", nonce="n", qop="auth"' ]);
};
$before = subs();
is($john->register()->{code}, 200, 'registered');
ok(wait_subs($before + 2), 'answered');
is($proofs[1]{uri}, $john->{impu}, 'for its Request-URI');
is(scalar(subs()), $before + 2, 'accepted');

# two browsers of one user on whichever worker: each has its own news

my %twice = (token => $jwt->token('john'));
$core->{on}{SUBSCRIBE} = sub { $reg->subscribe($_[1]) };
my $other = IMS::Browser->open(%twice);
$before = subs();
$other->register();
ok(wait_subs($before + 1), 'the second subscribes, too');
$reg->notify('active', $reg->contact('terminated', 'rejected'));
is($core->final('NOTIFY')->{code}, 200, 'the second is rejected');
is($other->closed(3), 4403, 'told');
is($john->register()->{code}, 200, 'the first goes on');
is($john->closed(0.3), undef, 'not told');

# refused: nothing else suffers

$core->{on}{SUBSCRIBE} = sub { $_[0]->reply($_[1], 403, 'No') };
my $dave = IMS::Browser->open(token => $jwt->token('dave'));
$before = subs();
is($dave->register()->{code}, 200, 'registered');
ok(wait_subs($before + 1), 'asked');
is($dave->register()->{code}, 200, 'registered all the same');

# no answer at all, and the browser leaves meanwhile

$core->{on}{SUBSCRIBE} = sub { };
my $erin = IMS::Browser->open(token => $jwt->token('erin'));
is($erin->register()->{code}, 200, 'registered without an answer');
$erin->close();
IMS::Loop::pause(2);

# probation: not before its time

$core->{on}{SUBSCRIBE} = sub { $reg->subscribe($_[1]) };
my $frank = IMS::Browser->open(token => $jwt->token('frank'));
$before = subs();
$frank->register();
wait_subs($before + 1);
$core->forget();
my $registers = $core->seen('REGISTER');
$reg->notify('terminated', $reg->contact('terminated', 'probation',
    'retry-after' => 2 * $IMS::Loop::SLOW));
is($core->final('NOTIFY')->{code}, 200, 'probation');
IMS::Loop::pause(1.5);
is(scalar $core->seen('REGISTER'), $registers, 'not at once');
ok(IMS::Loop::wait_for(sub { $core->seen('REGISTER') > $registers }, 4),
    'but later');

$_->close() for $john, $dave, $frank;

# the line itself

sub refused {
    my ($line, $expected, $name) = @_;

    $t->write_file_expand('bad.conf', ims_conf(core => $line));
    like(ims_check($t, 'bad.conf'), $expected, $name);
}

refused('reg_event yes;', qr/invalid value "yes" in "reg_event"/, 'value');
refused('reg_event on; reg_event off;',
    qr/"reg_event" directive is duplicate/, 'twice');
refused('reg_event;', qr/number of arguments in "reg_event"/, 'nothing');

# a sub holds it: the two tests of its own come now, not too late

undef $t;
