#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# A token ends in mid-call: no new calls, but the running one can be ended, or
# is by directive, at once or after a time.

use warnings;
use strict;

use FindBin;
use Test::More;
use Time::HiRes ();

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(21);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock',
    t1 => '500ms',
    server => <<'EOC'));
        ims_portal_jwt_leeway 0s;

        location = /end {
            ims_portal acme;
            ims_portal_token_end end;
        }

        location = /cap {
            ims_portal acme;
            ims_portal_token_end finish 2s;
        }
EOC

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my $exp = time() + 3;
my $mary = IMS::Browser->open(token => $jwt->token('mary', exp => $exp));
my %cut = map {
    $_ => IMS::Browser->open(path => "/$_",
        token => $jwt->token($_, exp => $exp))
} qw/ cap end /;

is($_->register()->{code}, 200, 'registered') for $mary, values %cut;

my $call = IMS::Call::call_up($mary, $core);
my %running = map { $_ => IMS::Call::call_up($cut{$_}, $core) } keys %cut;

# the end of the token: these calls end by themselves

sub cut {
    my ($who, $when, $reason) = @_;

    my $bye = $cut{$who}->expect('BYE', 6);

    ok($bye, "$who: BYE at the browser");
    cmp_ok(abs(Time::HiRes::time() - $when), '<', 1, 'in time');
    $cut{$who}->reply($bye, 200, 'OK') if $bye;

    my $up = IMS::Loop::wait_for(sub {
        (grep { $_->h('Call-ID') eq $running{$who}{seen}->h('Call-ID') }
            $core->seen('BYE'))[0]
    }, 3);

    ok($up, 'BYE at the core');
    like($up ? $up->h('Reason') : '', qr/token ended/, 'says why');
    $core->reply($up, 200, 'OK') if $up;
    is($cut{$who}->closed(3), 4401, 'then closed');
}

cut('end', $exp);

ok(IMS::Loop::wait_for(sub {
    grep { $_->h('Contact') =~ /;expires=0\b/ } $core->seen('REGISTER')
}, 8), 'de-registered');
cut('cap', $exp + 2);
ok($mary->is_open(), 'the first call goes on');

is($mary->ask('MESSAGE', body => 'hi')->{code}, 403, 'nothing new');
is($mary->ask('INVITE')->{code}, 403, 'no new call');

# what belongs to the call passes

$mary->within($call->{web}, 'INFO', headers => [
    'Content-Type' => 'application/dtmf-relay' ], body => "Signal=1\r\n");

my $info = $core->expect('INFO');

ok($info, 'INFO in the call');
$core->reply($info, 200, 'OK') if $info;
$mary->final('INFO');

$core->forget();
is(IMS::Call::hang_up($mary, $call->{web}, $core), 200, 'hung up');
ok($ng->wait_for('delete'), 'media freed');
is($mary->closed(4), 4401, 'then closed, whatever might be repeated');
