package IMS::DNS;

# Copyright (C) the IMS portal authors

# A DNS server on UDP as small as a test needs it: records by name, failures
# and delays on demand.
#
#     my $dns = IMS::DNS->new(port => ...);
#     $dns->set('core.example', A => [ '127.0.0.1' ], ttl => 1);
#     $dns->set('_sip._udp.core.example', SRV => [ [ 10, 1, 5060, 'a.example' ] ]);
#     $dns->set('bad.example', code => 2);     # SERVFAIL
#
# A name that was not set is answered with NXDOMAIN.

use warnings;
use strict;

use IMS::Loop;
use IO::Socket::IP;
use Socket qw/ AF_INET6 inet_aton inet_pton SOCK_DGRAM /;
use Test::Nginx qw/ port /;

my %TYPE = (1 => 'A', 28 => 'AAAA', 33 => 'SRV');

sub new {
    my ($class, %o) = @_;

    my $self = bless { port => $o{port}, names => {}, asked => [],
        late => [] }, $class;

    $self->{sock} = IO::Socket::IP->new(Type => SOCK_DGRAM, Proto => 'udp',
        LocalHost => '127.0.0.1', LocalPort => $self->{port})
        or die "can't listen on port $self->{port}: $!\n";
    $self->{sock}->blocking(0);
    IMS::Loop::add($self);

    return $self;
}

# A, AAAA: addresses; SRV: [ priority, weight, port, name ]; ttl: seconds;
# code: of the answer; mute: none at all

sub set {
    my ($self, $name, %o) = @_;

    $self->{names}{lc $name} = { ttl => 300, %o };

    return $self;
}

sub fh { return ($_[0]->{sock}) }

# how often a name was asked for, with a type

sub asked {
    my ($self, $name, $type) = @_;

    return scalar grep { $_->[0] eq lc $name && $_->[1] eq $type }
        @{$self->{asked}};
}

sub readable {
    my ($self) = @_;

    while (defined(my $from = $self->{sock}->recv(my $query, 4096))) {
        my $answer = $self->answer($query);

        $self->{sock}->send($answer, 0, $from) if defined $answer;
    }
}

sub answer {
    my ($self, $query) = @_;

    my ($id, $flags) = unpack 'nn', $query;
    my ($pos, @labels) = (12);

    while ((my $len = unpack 'C', substr $query, $pos, 1) > 0) {
        push @labels, substr $query, $pos + 1, $len;
        $pos += 1 + $len;
    }

    my $name = lc join '.', @labels;
    my $question = substr $query, 12, $pos + 5 - 12;
    my $type = $TYPE{unpack 'n', substr $query, $pos + 1, 2} || '?';
    my $r = $self->{names}{$name};

    push @{$self->{asked}}, [ $name, $type ];

    return undef if $r && $r->{mute};

    my $code = $r ? $r->{code} || 0 : 3;
    my @data = map { pack_data($type, $_) }
        $r && !$code ? @{$r->{$type} || []} : ();

    return pack('n6', $id, 0x8180 | $code, 1, scalar @data, 0, 0) . $question
        . join '', map { pack('nnnNn', 0xc00c,
            unpack('n', substr $query, $pos + 1, 2), 1, $r->{ttl}, length)
            . $_ } @data;
}

sub pack_data {
    my ($type, $value) = @_;

    return inet_aton($value) if $type eq 'A';
    return inet_pton(AF_INET6, $value) if $type eq 'AAAA';

    my ($priority, $weight, $port, $target) = @$value;

    return pack('nnn', $priority, $weight, $port)
        . join('', map { pack 'C/a', $_ } split /\./, $target) . "\0";
}

1;
