#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Answers of the core to REGISTER that ask for another try, and what a refresh
# that fails means for the browser.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::SIP;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(25);

my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf());
$t->run();

my $core = IMS::Core->new();
my $mary = IMS::Browser->open(token => $jwt->token('mary'));

sub seen { return $core->seen('REGISTER') }

# answers with these in turn, [ code, headers ], then accepts

sub answers {
    my (@turns) = @_;

    $core->{on}{REGISTER} = sub {
        my ($self, $msg) = @_;
        my $turn = shift @turns or return $self->accept($msg);

        $self->reply($msg, $turn->[0], 'Turn', headers => $turn->[1] || []);
    };
}

# 423: with what it asks for

answers([ 423, [ 'Min-Expires' => 7200 ] ]);
is($mary->register()->{code}, 200, '423 tried again');
is((seen())[-1]->h('Expires'), 7200, 'for as long as it wants');
is(scalar(seen()), 2, 'once');
like((seen())[-1]->h('Contact'), qr/;expires=7200$/, 'in the Contact, too');
cmp_ok((seen())[-1]->cseq(), '>', (seen())[0]->cseq(), 'next CSeq');
$mary->register(expires => 0);

answers([ 423, [ 'Min-Expires' => 60 ] ]);
is($mary->register()->{code}, 500, '423 that asks for less');

answers([ 423 ]);
is($mary->register()->{code}, 500, '423 that asks for nothing');

my $before = seen();
answers(map { [ 423, [ 'Min-Expires' => 8000 + $_ ] ] } 1 .. 20);
is($mary->register()->{code}, 500, '423 for ever');
cmp_ok(scalar(seen()), '<', $before + 10, 'given up');

# 480 and 404 are passed on as they are or as 403; a redirection is not followed

answers([ 480 ]);
is($mary->register()->{code}, 480, '480 passed on');
answers([ 404 ]);
is($mary->register()->{code}, 403, '404 as 403');

$before = seen();
answers([ 302, [ Contact => '<sip:elsewhere@192.0.2.1>' ] ]);
is($mary->register()->{code}, 500, '302 as 500');
is(scalar(seen()), $before + 1, 'not followed');

# a 500 to the de-registration is tried again, too

answers();
$mary->register();
$before = seen();
answers([ 500 ]);
is($mary->register(expires => 0)->{code}, 200, 'de-registered');
ok(IMS::Loop::wait_for(sub { seen() == $before + 2 }, 3), '500: once more');
is((seen())[-1]->h('Expires'), 0, 'the same');

# a refresh that fails for the moment is tried again while there is time; the
# browser notices nothing

$core->{on}{REGISTER} = sub { $_[0]->accept($_[1], expires => 12) };
is($mary->register()->{code}, 200, 'registered for a while');
$before = seen();
answers([ 503 ]);
ok(IMS::Loop::wait_for(sub { seen() > $before }, 9), 'refreshed at half');
IMS::Loop::pause(0.3);
is($mary->register()->{code}, 200, 'still registered');
is($mary->closed(0.3), undef, 'and not told');
$mary->close();

# one that is refused is told at once

my $john = IMS::Browser->open(token => $jwt->token('john'));
$core->{on}{REGISTER} = sub { $_[0]->accept($_[1], expires => 2) };
is($john->register()->{code}, 200, 'registered');
answers(([ 403 ]) x 3);
is($john->closed(4), 4403, 'refused at its refresh');

# one that fails until the end, too, with another word

my $dave = IMS::Browser->open(token => $jwt->token('dave'));
$core->{on}{REGISTER} = sub { $_[0]->accept($_[1], expires => 2) };
is($dave->register()->{code}, 200, 'registered');
answers(([ 503 ]) x 9);
is($dave->closed(4), 1013, 'no answer until its end');

# 200 without our Contact is none

$core->{on}{REGISTER} = sub {
    my ($self, $msg) = @_;
    $self->reply($msg, 200, 'OK', headers => [
        Contact => '<sip:other@192.0.2.1>;expires=600' ]);
};
my $erin = IMS::Browser->open(token => $jwt->token('erin'));
is($erin->register()->{code}, 500, '200 without our Contact');
