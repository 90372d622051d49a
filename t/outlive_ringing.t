#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Calls that are not answered yet when a socket goes: one to the browser rings
# on, on its next socket or in the page that was loaded again; one of the
# browser's is given up, and it hears of that when it is back.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ call_up call_down hang_up sdp_body /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::NG;
use IMS::Outlive qw/ vanish /;
use IMS::SDP qw/ ims_sdp web_sdp /;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(29);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf(
    media => 'unix:%%TESTDIR%%/ng.sock', grace => 3 * $IMS::Loop::SLOW . 's',
    t1 => 50 * $IMS::Loop::SLOW . 'ms'));

my $ng = IMS::NG->new($t->testdir() . '/ng.sock');

$t->run();

my $core = IMS::Core->new()->registrar();
my %mary = (token => $jwt->token('mary'), instance => '1-2-3',
    host => 'mary.invalid');
my $mary = IMS::Browser->open(%mary);

$mary->register();

sub back {
    $mary = IMS::Browser->open(%mary);

    return $mary->register()->{code};
}

# as many calls deleted as the helper was told of

sub tidy {
    my ($title) = @_;
    my (%open, $left);

    IMS::Loop::wait_for(sub {
        %open = ();
        $_->{command} eq 'delete' ? delete $open{$_->{'call-id'}}
            : ($open{$_->{'call-id'}} = 1) for @{$ng->{log}};
        return !%open;
    }, 3);
    is(join(',', keys %open), '', "$title: media freed");
}

# the whole of a call that rings again

sub answered {
    my ($call, $title) = @_;

    my $seen = $mary->expect('INVITE', 3);
    like($seen->{body}, qr/SAVPF/, "$title: it rings again");
    my $answer = $mary->reply($seen, 200, 'OK', headers => [
        Contact => $mary->contact(), 'Content-Type' => 'application/sdp' ],
        body => web_sdp(setup => 'active'));
    my $ok = $core->final('INVITE');
    is($ok->{code}, 200, "$title: answered");
    my $dialog = $core->dialog($call->{sent}, $ok, 1);
    $core->within($dialog, 'ACK');
    ok($mary->expect('ACK'), "$title: ACK");
    is(hang_up($core, $dialog, $mary), 200, "$title: hung up");
    tidy($title);

    return $seen;
}

# the socket goes, the page stays: the same branch, so it knows the INVITE

my $call = call_down($mary, $core, until => 180);
$mary->drop();
ok($core->none('480', 0.3), 'socket lost: it rings on');
is(back(), 200, 'back');
my $seen = answered($call, 'socket lost');
is($seen->branch(), $call->{seen}->branch(), 'same branch');

# the page is loaded again

$call = call_down($mary, $core, until => 180);
$mary->close(1001);
is(back(), 200, 'page loaded again');
answered($call, 'page loaded again');

# the caller gives up meanwhile

$call = call_down($mary, $core, until => 180);
vanish($t, $mary);
$core->same_hop($call->{sent}, 'CANCEL');
is($core->final('CANCEL')->{code}, 200, 'CANCEL while away');
is($core->final('INVITE')->{code}, 487, 'ends it');
$core->same_hop($call->{sent}, 'ACK');
back();
ok($mary->none('INVITE', 0.4), 'it does not ring again');
tidy('canceled');

# she does not come back

$call = call_down($mary, $core, until => 180);
$mary->drop();
my $r = $core->final('INVITE', 6);
is($r->{code}, 480, 'never back: 480');
$core->same_hop($call->{sent}, 'ACK');
tidy('never back');

# her own call

back();
$core->forget();
$call = call_up($mary, $core, until => 180);
$mary->drop();
my $cancel = $core->expect('CANCEL');
ok($cancel, 'her own call is given up');
$core->reply($cancel, 200, 'OK');
is(back(), 200, 'back');
is($mary->final('INVITE')->{code}, 487, 'and she hears of it');
$mary->same_hop($call->{sent}, 'ACK');
$core->reply($call->{seen}, 487, 'Request Terminated');
$core->expect('ACK');
tidy('given up');

# and one that is answered while it is given up

$call = call_up($mary, $core, until => 180);
$mary->drop();
$core->reply($core->expect('CANCEL'), 200, 'OK');
my $ok = $core->reply($call->{seen}, 200, 'OK', headers => [
    Contact => $core->contact(), 'Content-Type' => 'application/sdp' ],
    body => ims_sdp());
ok($core->expect('ACK'), 'a 200 that crosses: ACK');
my $bye = $core->expect('BYE');
is($bye->tag('To'), $ok->tag('To'), 'and BYE');
like($bye->h('Reason'), qr/browser is gone/, 'with a Reason');
$core->reply($bye, 200, 'OK');
tidy('crossed');
back();
is($mary->final('INVITE')->{code}, 487, 'and she hears of it');

$mary->close();
