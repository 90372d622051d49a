#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A core that challenges: the portal answers, the browser never knows.

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
use IMS::SIP;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(37);

my $jwt = IMS::JWT->new($t);

$t->write_file('secrets', <<'EOF');
# IMPI, kind, secret

u001@ims.operator.example password "zanzi \"bar\""
EOF

chmod 0640, $t->testdir() . '/secrets';

$t->write_file_expand('nginx.conf', ims_conf(
    register => 'digest secrets=%%TESTDIR%%/secrets '
        . 'realm=ims.operator.example'));
$t->run();

my $core = IMS::Core->new();
my $password = 'zanzi "bar"';
my ($nonce, $algorithms, %used, %o) = ('nonce-1', [ 'MD5' ]);

sub challenge {
    my ($self, $msg) = @_;

    $self->reply($msg, 401, 'Unauthorized', headers => [
        map { +'WWW-Authenticate' => 'Digest realm="ims.operator.example", '
            . "nonce=\"$nonce\", algorithm=$_, qop=\"auth,auth-int\""
            . ($o{stale} ? ', stale=true' : '') } @$algorithms ]);
}

# a registrar that lets nobody pass without a good answer; once: a nonce serves
# one request only

sub guard {
    my ($self, $msg) = @_;
    my $p = credentials($msg->h('Authorization'));

    if ($p->{nonce} ne $nonce || !length $p->{response}
        || ++$used{$nonce} > 1 && $o{once})
    {
        $nonce = 'nonce-' . (keys(%used) + 2) if $used{$nonce};
        return challenge($self, $msg);
    }

    return challenge($self, $msg)
        unless $p->{response} eq digest_of($p, 'REGISTER', $password);

    $self->accept($msg, %o);
}

$core->{on}{REGISTER} = \&guard;

sub requests { return $core->seen('REGISTER') }

sub proof { return credentials($_[0]->h('Authorization')) }

my $mary = IMS::Browser->open(token => $jwt->token('mary'));

my $ok = $mary->register();
is($ok->{code}, 200, 'registered');
is(scalar(requests()), 2, 'after one challenge');
unlike($ok->{raw}, qr/nonce|Digest|Authenticat/i, 'no word of it');

my ($one, $two) = requests();
my ($p1, $p2) = (proof($one), proof($two));

is($p1->{username}, 'u001@ims.operator.example', 'IMPI at first');
is($p1->{realm}, 'ims.operator.example', 'with the realm');
is($p1->{nonce} . $p1->{response}, '', 'and nothing to prove it');
unlike($one->h('Authorization'), qr/integrity-protected/, 'nor to vouch');
is($p2->{nonce}, 'nonce-1', 'then the nonce');
is($p2->{qop}, 'auth', 'qop');
is($p2->{nc}, '00000001', 'nc');
like($p2->{cnonce}, qr/^[0-9a-f]{32}$/, 'cnonce');
is($p2->{uri}, 'sip:ims.operator.example', 'uri');
is($two->cseq(), $one->cseq() + 1, 'next CSeq');
is($two->h('Call-ID'), $one->h('Call-ID'), 'same Call-ID');
isnt($two->branch(), $one->branch(), 'another branch');

# each REGISTER is challenged, the one that takes it back, too; a nonce that
# served is tried first

is($mary->register(expires => 0)->{code}, 200, 'de-registered');
is(scalar(requests()), 3, 'without another challenge');
$p1 = proof((requests())[-1]);
is($p1->{nonce}, 'nonce-1', 'with the nonce of before');
is($p1->{nc}, '00000002', 'counted');
ok(!$core->{registered}{$mary->{impu}}, 'gone from the core');

# the core takes it only once

$o{once} = 1;
is($mary->register()->{code}, 200, 'registered again');
is(scalar(requests()), 5, 'after another challenge');
($p1, $p2) = map { proof($_) } (requests())[-2, -1];
is($p1->{nonce}, 'nonce-1', 'first by the old nonce');
is($p2->{nonce}, 'nonce-3', 'then by the new one');
is($p2->{nc}, '00000001', 'counted anew');
isnt($p2->{cnonce}, $p1->{cnonce}, 'another cnonce');

# of several algorithms the strongest

delete $o{once};
$algorithms = [ 'MD5', 'SHA-256', 'MD5-sess', 'RIPEMD' ];
$nonce = 'nonce-sha';
$mary->register(expires => 0);
is($mary->register()->{code}, 200, 'registered');
$p2 = proof((requests())[-1]);
is($p2->{algorithm}, 'SHA-256', 'by SHA-256');
is(length $p2->{response}, 64, 'whole');

# the next nonce is named in the 200

$o{headers} = [ 'Authentication-Info' => 'qop=auth, nextnonce="nonce-next"' ];
$mary->register(expires => 0);
$nonce = 'nonce-next';
delete $o{headers};
my $before = requests();
is($mary->register()->{code}, 200, 'registered');
is(scalar(requests()), $before + 1, 'without a challenge');
$p1 = proof((requests())[-1]);
is($p1->{nonce}, 'nonce-next', 'by the next nonce');
is($p1->{nc}, '00000001', 'counted anew');

# a nonce that is stale when the answer to it comes

$mary->register(expires => 0);
$before = requests();
my @nonces = qw/ s1 s2 /;
$o{stale} = 1;
$core->{on}{REGISTER} = sub {
    return guard(@_) unless @nonces;
    $nonce = shift @nonces;
    challenge(@_);
};
is($mary->register()->{code}, 200, 'stale is tried again');
is(scalar(requests()), $before + 3, 'with the new nonce');
delete $o{stale};

# some answer 403 to a nonce they do not know any more

$mary->register(expires => 0);
my $forbidden = 1;
$core->{on}{REGISTER} = sub {
    return guard(@_) unless $forbidden;
    $forbidden = 0;
    $nonce = 'after-403';
    $_[0]->reply($_[1], 403, 'Forbidden');
};
is($mary->register()->{code}, 200, '403 to an old nonce');

# the core grants a short life: the portal's own refresh proves it, too

$mary->register(expires => 0);
$core->{on}{REGISTER} = \&guard;
@o{qw/ expires once /} = (2, 1);
$before = requests();
$mary->register();
ok(IMS::Loop::wait_for(sub {
    grep { proof($_)->{response} && $_->h('Expires') > 0 }
        (requests())[$before + 2 .. $#{[ requests() ]}];
}, 4), 'refreshed with a proof');

$mary->close();
