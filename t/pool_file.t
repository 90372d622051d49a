#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Identities listed in a file: comments, CR LF, private identities, several
# spellings; a reload leaves leases alone, and one with fewer lines retires
# what went.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::JWT;
use IMS::Loop;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(16);

my $jwt = IMS::JWT->new($t);
my $acme = 'acme.ims.operator.example';

sub list { $t->write_file('list', join '', @_) }

sub lease {
    my ($user) = @_;

    my $r = IMS::Browser::api('POST', token => $jwt->token($user));

    return $r->{json}{identity} // $r->{status};
}

sub reload {
    my ($said) = @_;

    my $n = () = $t->read_file('error.log') =~ /$said/g;

    $t->reload();

    return IMS::Loop::wait_for(sub {
        my $now = () = $t->read_file('error.log') =~ /$said/g;
        return $now > $n;
    }, 5);
}

$t->write_file_expand('nginx.conf', ims_conf(quarantine => '1s',
    identity => "sip:one\@$acme; file=list impi=\$user\@ims.operator.example; "
        . 'sip:x[1-2]@acme.example impi=x@ims.operator.example'));

list("# our numbers\r\n\r\n",
    "sip:Ann\@$acme\r\n",
    "  sip:%62en\@$acme   ben-1\@ims.operator.example  # second\n",
    "tel:+1-555-0100 +15550100\@ims.operator.example\n",
    "sip:last\@$acme");

$t->run();

is(lease('one'), "sip:one\@$acme", 'the one before');
is(lease('ann'), "sip:Ann\@$acme", 'first of the list');
is(lease('ben'), "sip:%62en\@$acme", 'as it is written');
is(lease('tel'), 'tel:+1-555-0100', 'a number');
is(lease('last'), "sip:last\@$acme", 'one without an end of line');
is(lease('x'), 'sip:x1@acme.example', 'the line behind');

# more of them, elsewhere in the file

list("sip:new\@$acme\n", "sip:last\@$acme\n", "sip:ben\@$acme\n",
    "tel:+15550100 n\@x\n", "sip:Ann\@$acme\n");
ok(reload('gracefully shutting down'), 'reloaded');

is(lease('ann'), "sip:Ann\@$acme", 'ann has hers');
is(lease('ben'), "sip:ben\@$acme", 'ben has his, in another spelling');
is(lease('tel'), 'tel:+15550100', 'so has the number');
is(lease('dave'), 'sip:x2@acme.example', 'free for longest');
is(lease('erin'), "sip:new\@$acme", 'the new one comes last');

# fewer

list("sip:Ann\@$acme\n");
ok(reload('gracefully shutting down'), 'reloaded again');

is(lease('ann'), "sip:Ann\@$acme", 'ann has hers still');
is(lease('ben'), 503, 'what is not in the list is nobody\'s');

# one that is no good changes nothing

list("sip:new\@$acme\n", "sip:new\@$acme\n");
ok(reload('list:2: an identity for the second time'), 'refused');

# a sub holds it: the two tests of its own come now, not too late

undef $t;
