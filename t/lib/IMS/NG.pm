package IMS::NG;

# Copyright (C) the IMS portal authors

# A fake media helper: speaks ng (bencode after a cookie) on a Unix stream
# socket. It answers ping, offer, answer, delete and query by itself, with SDP
# whose owner name tells which command made it; a test may make it silent, let
# it answer errors, or take it away.

use warnings;
use strict;

use IMS::Loop;
use IMS::SDP qw/ web_sdp ims_sdp /;
use IO::Socket::UNIX;
use Test::Nginx ();

sub new {
    my ($class, $path) = @_;

    my $self = bless {
        path => $path, log => [], asked => [], mode => 'answer', in => {}, held => [],
    }, $class;

    return $self->up();
}

sub up {
    my ($self) = @_;

    unlink $self->{path};
    $self->{listen} = IO::Socket::UNIX->new(Type => SOCK_STREAM, Listen => 16,
        Local => $self->{path}) or die "can't listen on $self->{path}: $!\n";
    chmod 0666, $self->{path};
    IMS::Loop::add($self);

    return $self;
}

# gone: no socket, no connection

sub down {
    my ($self) = @_;

    IMS::Loop::del($self);
    $_->{fh} && $_->{fh}->close() for values %{$self->{in}};
    $self->{in} = {};
    (delete $self->{listen})->close() if $self->{listen};
    unlink $self->{path};

    return $self;
}

sub DESTROY { $_[0]->down() }

# another process in its place, which knows of no call and says so

sub restart {
    my ($self) = @_;

    @$self{qw/ calls strict /} = ({}, 1);

    return $self->down()->up();
}

# how it answers from now on: answer, silent, hold (until release()), or error
# with a reason

sub mode {
    my ($self, $mode, $reason) = @_;

    @$self{qw/ mode reason /} = ($mode, $reason);

    return $self;
}

sub release {
    my ($self) = @_;

    $self->{mode} = 'answer';
    $self->respond(@$_) for splice @{$self->{held}};

    return $self;
}

sub fh {
    my ($self) = @_;

    return $self->{listen}
        ? ($self->{listen}, map { $_->{fh} } values %{$self->{in}}) : ();
}

sub readable {
    my ($self, $fh) = @_;

    if ($fh == $self->{listen}) {
        my $new = $self->{listen}->accept() or return;
        $self->{in}{fileno $new} = { fh => $new, buf => '' };
        return;
    }

    my $c = $self->{in}{fileno $fh} or return;

    if (!sysread $fh, $c->{buf}, 65536, length $c->{buf}) {
        delete $self->{in}{fileno $fh};
        close $fh;
        return;
    }

    while ($c->{buf} =~ /^(?:([^\s]+) )?(?=d)/) {
        my $cookie = $1;
        my $at = defined $cookie ? length($cookie) + 1 : 0;
        my ($dict, $end) = decode($c->{buf}, $at);
        last unless defined $end;

        Test::Nginx::log_in(substr $c->{buf}, 0, $end);
        substr $c->{buf}, 0, $end, '';
        $self->command($fh, $cookie, $dict);
    }
}

sub command {
    my ($self, $fh, $cookie, $dict) = @_;

    # whether a call is known is asked beside what happens in it

    push @{$self->{$dict->{command} eq 'query' ? 'asked' : 'log'}}, $dict
        unless $dict->{command} eq 'ping';

    return if $self->{mode} eq 'silent';

    if ($self->{mode} eq 'hold' && $dict->{command} ne 'ping') {
        push @{$self->{held}}, [ $fh, $cookie, $dict ];
        return;
    }

    $self->respond($fh, $cookie, $dict);
}

sub respond {
    my ($self, $fh, $cookie, $dict) = @_;
    my $command = $dict->{command};

    my $reply = { result => $command eq 'ping' ? 'pong' : 'ok' };
    my $call = $dict->{'call-id'};

    $self->{since}{fileno $fh} = $dict->{'ended since'}
        if $command eq 'ping';
    $self->tell($reply, $dict->{'ended since'})
        if $self->{ended} && $command eq 'ping';
    $reply->{web} = $self->{web}{$call}
        if $command eq 'query' && $self->{web}{$call};

    $self->{calls}{$call} = 1 if $command eq 'offer';
    my $known = $command eq 'delete' ? delete $self->{calls}{$call}
        : $command eq 'ping' || $self->{calls}{$call};

    if ($self->{mode} eq 'error' && $command ne 'ping') {
        $reply = { result => 'error', 'error-reason' => $self->{reason} };

    } elsif ($self->{strict} && !$known) {
        $reply = { result => 'error', 'error-reason' => 'Unknown call-id' };

    } elsif ($command =~ /^(offer|answer)$/) {
        $reply->{sdp} = $self->translated($dict);
    }

    my $bytes = (defined $cookie ? "$cookie " : '') . encode($reply);
    Test::Nginx::log_out($bytes);

    local $SIG{PIPE} = 'IGNORE';
    syswrite $fh, $bytes;
}

# Calls that ended by themselves, a part of them: ended holds pairs of a call-id
# and a reason, as numbers 1 and up, but those up to forgotten are told no more.

sub tell {
    my ($self, $reply, $since) = @_;
    my $forgotten = $self->{forgotten} || 0;
    my $from = $since < $forgotten ? $forgotten : $since;
    my $to = $from + 64;

    $to = @{$self->{ended}} if $to > @{$self->{ended}};
    $reply->{lost} = \1 if $since < $forgotten;
    $reply->{'ended seq'} = \$to;
    $reply->{ended} = [ map { { 'call-id' => $_->[0], reason => $_->[1] } }
        @{$self->{ended}}[$from .. $to - 1] ];
}

# an SDP of the other side's kind, marked by command and number of its turn

sub translated {
    my ($self, $dict) = @_;

    my $sdp = $dict->{sdp} =~ /SAVPF/ ? ims_sdp(port => 30000)
        : web_sdp(setup => $dict->{command} eq 'offer' ? 'actpass' : 'passive');
    my $n = grep { $_->{command} eq $dict->{command} } @{$self->{log}};
    $sdp =~ s/^s=-/s=$dict->{command}$n/m;

    return $sdp;
}

# commands of a kind seen so far, of one call or of all

sub seen {
    my ($self, $command, $call) = @_;

    return grep {
        $_->{command} eq $command
            && (!defined $call || $_->{'call-id'} eq $call)
    } @{$self->{$command eq 'query' ? 'asked' : 'log'}};
}

sub wait_for {
    my ($self, $command, $count, $seconds) = @_;

    return IMS::Loop::wait_for(
        sub { $self->seen($command) >= ($count || 1) }, $seconds);
}

# bencode: decode(bytes, offset) gives the value and the offset behind it, or
# an empty list while it is not whole

sub decode {
    my ($s, $at) = @_;

    my $type = substr $s, $at, 1;

    if ($type eq 'i') {
        pos($s) = $at;
        return $s =~ /\Gi(-?\d+)e/g ? ($1, pos $s) : ();

    } elsif ($type =~ /\d/) {
        pos($s) = $at;
        $s =~ /\G(\d+):/g or return ();
        my $from = pos $s;
        return () if length $s < $from + $1;
        return (substr($s, $from, $1), $from + $1);

    } elsif ($type eq 'l' || $type eq 'd') {
        my @items;
        $at++;

        while ($at < length $s && substr($s, $at, 1) ne 'e') {
            my ($item, $next) = decode($s, $at);
            return () unless defined $next;
            push @items, $item;
            $at = $next;
        }

        return () if $at >= length $s;
        return ($type eq 'l' ? \@items : { @items }, $at + 1);
    }

    return ();
}

sub encode {
    my ($value) = @_;

    return 'd' . join('', map { encode($_) . encode($value->{$_}) }
        sort keys %$value) . 'e' if ref $value eq 'HASH';
    return 'l' . join('', map { encode($_) } @$value) . 'e'
        if ref $value eq 'ARRAY';
    return "i${$value}e" if ref $value eq 'SCALAR';
    return length($value) . ":$value";
}

1;
