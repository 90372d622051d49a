package IMS::Outlive;

# Copyright (C) the IMS portal authors

# What still works in a call whose browser has a new socket, and how to get one
# at another worker. A test that uses elsewhere() has an access log "pid" with
# "$pid $uri $status", and several workers that share nothing but the address.

use warnings;
use strict;

use base qw/ Exporter /;

use IMS::Browser;
use IMS::Call qw/ hang_up /;
use IMS::Loop;
use IMS::SDP qw/ web_sdp ims_sdp /;

our @EXPORT_OK = qw/ goes_on elsewhere worker_of again_here vanish /;

# one request from one end to the other, and its 200; '' or what failed

sub asked {
    my ($from, $dialog, $to, $method) = @_;

    my $sdp = $method =~ /^(INVITE|UPDATE)$/
        ? [ $from->isa('IMS::Browser') ? (web_sdp(version => 5), ims_sdp())
            : (ims_sdp(version => 5), web_sdp(setup => 'active')) ] : undef;

    $from->within($dialog, $method, $sdp ? (headers => [ 'Content-Type' =>
        'application/sdp' ], body => $sdp->[0]) : ());

    my $seen = $to->expect($method) or return "$method did not arrive\n";

    $to->reply($seen, 200, 'OK', headers => [ Contact => $to->contact(),
        $sdp ? ('Content-Type' => 'application/sdp') : () ],
        body => $sdp ? $sdp->[1] : '');

    my $ok = $from->final($method);
    my $code = $ok ? $ok->{code} : 'nothing';
    return "$method got $code\n" if $code ne 200;
    return '' if $method ne 'INVITE';

    $from->within($dialog, 'ACK');

    return $to->expect('ACK') ? '' : "no ACK\n";
}

# all that may happen in a call, from both ends; '' or what failed

sub goes_on {
    my ($web, $core, $call) = @_;

    return join '', map {
        map({ length $_ ? "up: $_" : '' }
            asked($web, $call->{web}, $core, $_)),
        map({ length $_ ? "down: $_" : '' }
            asked($core, $call->{core}, $web, $_));
    } qw/ INFO MESSAGE UPDATE INVITE /;
}

# a browser's socket breaks, and the portal has noticed

sub vanish {
    my ($t, $web) = @_;
    my $lost = sub { scalar(() = $t->read_file('error.log') =~ / was lost/g) };
    my $before = $lost->();

    $web->drop();
    IMS::Loop::wait_for(sub { $lost->() > $before }, 20);
}

# the worker that took the last WebSocket

sub worker_of {
    my ($t) = @_;

    my @pid;

    # the line comes when the request of the handshake is given back

    IMS::Loop::wait_for(sub {
        @pid = $t->read_file('pid.log') =~ m!^(\d+) /ims/sip 101$!mg;
    }, 2);

    return $pid[-1];
}

# a socket at another worker than $pid, or at the same one

sub elsewhere { return pick(1, @_) }
sub again_here { return pick(0, @_) }

sub pick {
    my ($other, $t, $pid, %o) = @_;
    my @wrong;

    for (1 .. 60) {
        my $before = () = $t->read_file('pid.log') =~ m!/ims/sip 101$!mg;
        my $web = IMS::Browser->open(%o);

        IMS::Loop::wait_for(sub {
            $before < (() = $t->read_file('pid.log') =~ m!/ims/sip 101$!mg);
        }, 2);

        return $web if (worker_of($t) != $pid) == $other;
        push @wrong, $web;
    }

    die "no socket at the right worker\n";
}

1;
