package IMS::Loop;

# Copyright (C) the IMS portal authors

# All sockets of a test in one process: whoever waits for one thing lets the
# others be served meanwhile, so a scripted core or media helper can answer
# while the browser's side is waiting. Holds its sources weakly: a source that
# goes out of scope closes its socket.

use warnings;
use strict;

use base qw/ Exporter /;

use IO::Select;
use Scalar::Util qw/ refaddr weaken /;
use Time::HiRes qw/ time /;

our @EXPORT_OK = qw/ add del wait_for pause /;

# every wait of a test is multiplied by this, for valgrind and slow machines
our $SLOW = $ENV{TEST_IMS_SLOW} || 1;

my %sources;

# a source has fh() and readable()

sub add {
    my ($source) = @_;

    weaken($sources{refaddr $source} = $source);
}

sub del {
    my ($source) = @_;

    delete $sources{refaddr $source};
}

# runs until the code returns something true (which is returned) or the time
# is over (undef)

sub wait_for {
    my ($done, $seconds) = @_;
    my $until = time() + (defined $seconds ? $seconds : 5) * $SLOW;

    while (1) {
        my $got = $done->();
        return $got if $got;

        my $left = $until - time();
        return undef if $left <= 0;

        serve($left > 0.5 ? 0.5 : $left);
    }
}

# serves all sources for a while, whatever comes

sub pause {
    my ($seconds) = @_;

    wait_for(sub { 0 }, $seconds);

    return 1;
}

sub serve {
    my ($seconds) = @_;
    my (%of, $select);

    $select = IO::Select->new();

    for my $key (keys %sources) {
        my $source = $sources{$key};

        if (!defined $source || !defined $source->fh()) {
            delete $sources{$key};
            next;
        }

        for my $fh ($source->fh()) {
            $select->add($fh);
            $of{fileno $fh} = $source;
        }
    }

    for my $fh ($select->can_read($seconds)) {
        my $source = $of{fileno $fh} or next;
        $source->readable($fh);
    }
}

1;
