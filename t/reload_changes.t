#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Reloads that change what browsers hang on: identities, keys, a pool with its
# core.  What is new takes effect; what went serves who has it and is cleaned up
# behind him, at the core, too.

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
use Test::Nginx qw/ port /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(47);

my $jwt = IMS::JWT->new($t);
my $home = 'ims.operator.example';

# another core, with a pool of that name

sub second {
    my ($pool) = @_;

    return <<"EOC";
    ims_portal_core second {
        listen 127.0.0.1:%%PORT_8984_UDP%% udp;
        server 127.0.0.1:%%PORT_8985_UDP%%;
        home_domain $home;
        visited_network corp.example;
        register trusted flag=auth-done;
    }

    ims_portal_pool $pool zone=$pool:1m core=second {
        identity sip:g[01-20]\@$pool.$home impi=\$user\@$home;
    }
EOC
}

sub locations {
    my ($pool) = @_;

    return "location = /$pool/sip { ims_portal $pool; } "
        . "location = /$pool/session { ims_portal_session $pool; }";
}

sub conf {
    my ($numbers, $pool) = @_;

    $t->write_file_expand('nginx.conf', ims_conf(workers => 2,
        shutdown => '60s', grace => 2 * $IMS::Loop::SLOW . 's',
        identity => "sip:u[$numbers]\@acme.$home impi=\$user\@$home",
        quarantine => '0s', media => 'unix:%%TESTDIR%%/ng.sock',
        server => 'ims_portal_drain 300ms;' . ($pool ? locations($pool) : ''),
        http => $pool ? second($pool) : ''));
}

sub reload {
    my ($name) = @_;
    my %was = map { $_ => 1 } ims_workers($t);

    $t->reload();
    ok(IMS::Loop::wait_for(sub {
        my @new = grep { !$was{$_} } ims_workers($t);
        return @new == 2;
    }, 5), "$name: reloaded");
}

sub login {
    my ($user, $where) = @_;
    my %at = $where ? (path => "/$where/sip", lease => 0, impu =>
        IMS::Browser::api('POST', path => "/$where/session",
            token => $jwt->token($user))->{json}{identity}) : ();
    my $b = IMS::Browser->open(token => $jwt->token($user), %at);

    is($b->register()->{code}, 200, "$user is registered");

    return $b;
}

sub back {
    my ($was, $user) = @_;
    my $b = IMS::Browser->open(token => $jwt->token($user), lease => 0,
        impu => $was->{impu}, instance => $was->{instance},
        host => $was->{host});

    is($b->register()->{code}, 200, "$user is back as he was");

    return $b;
}

sub knows {
    my ($core, @browsers) = @_;

    return IMS::Loop::wait_for(sub {
        join(' ', sort keys %{$core->{registered}})
            eq join ' ', sort map { $_->{impu} } @browsers;
    }, 6);
}

sub reached {
    my ($core, $b) = @_;

    $core->terminating('MESSAGE', to => $b->{impu}, body => 'x');

    my $msg = $b->expect('MESSAGE', 3);

    $b->reply($msg, 200, 'OK');

    return $core->final('MESSAGE', 3)->{code};
}

conf('001-020', 'globex');

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $other = IMS::Core->new(port => port(8985, udp => 1),
    portal => port(8984, udp => 1))->registrar();

# identities: mary is idle, bob in a call

my $mary = login('mary');
my $bob = login('bob');
my $call = call_up($bob, $core);

conf('003-020', 'globex');
reload('fewer identities');

is($mary->closed(3), 1012, 'who is idle is moved');
$mary = back($mary, 'mary');
is(reached($core, $mary), 200, 'and reached');
is(IMS::Browser::api('GET', token => $jwt->token('mary'))->{json}{identity},
    $mary->{impu}, 'the session API says so, too');
is(hang_up($core, $call->{core}, $bob), 200, 'the call goes on');
is($bob->closed(5), 1012, 'then he is moved');
$bob = back($bob, 'bob');
$call = call_up($bob, $core);
is(hang_up($bob, $call->{web}, $core), 200, 'and can call');

my $carol = login('carol');
is($carol->{impu}, "sip:u003\@acme.$home", 'who is new gets one that is left');

$bob->drop();
$mary->close(1000);
ok(knows($core, $carol), 'they go: de-registered');

my $again = IMS::Browser::api('POST', token => $jwt->token('mary'));
is($again->{json}{identity}, "sip:u004\@acme.$home",
    'mary gets one of the others now');

# Another pool goes, its core stays, then the core: one is idle, one in a call,
# one has just lost his socket.

sub goes {
    my ($pool, $next) = @_;
    my $idle = login('dave', $pool);
    my $busy = login('erin', $pool);
    my $lost = login('frank', $pool);
    my $call = call_up($busy, $other);

    $lost->drop();
    conf('003-020', $next);
    reload("$pool went");

    is($idle->closed(3), 1001, "$pool: who is idle is sent away");
    ok(knows($other, $busy), "$pool: de-registered, who was lost as well");
    is(reached($other, $busy), 200, "$pool: who is in a call is reached");
    $other->within($call->{core}, 'INFO');
    $busy->reply($busy->expect('INFO'), 200, 'OK');
    is($other->final('INFO')->{code}, 200, "$pool: also in the call");
    is(hang_up($busy, $call->{web}, $other), 200, "$pool: which goes on");
    is($busy->closed(5), 1001, "$pool: then she is sent away");
    ok(knows($other), "$pool: and de-registered");
    ok(IMS::Loop::wait_for(sub { ims_workers($t) == 2 }, 8),
        "$pool: old workers are gone");
}

goes('globex', 'initech');
goes('initech', '');

is($carol->closed(0.1), 1012, 'others were only moved');
$carol = back($carol, 'carol');

# other keys

my $old = $jwt->token('carol');

$jwt = IMS::JWT->new($t);
reload('other keys');
ok(IMS::Loop::wait_for(sub {
    IMS::Browser::api('POST', token => $old)->{status} == 401
}, 3), 'the former key is refused');
is(IMS::Browser::api('POST', token => $jwt->token('carol'))
    ->{json}{identity}, $carol->{impu}, 'the new one is taken');
is($carol->closed(3), 1012, 'carol is moved');
$carol = back($carol, 'carol');
$carol->close(1000);
ok(knows($core), 'all gone');

# a sub holds it: the two tests of its own come now, not too late

undef $t;
