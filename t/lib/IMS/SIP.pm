package IMS::SIP;

# Copyright (C) the IMS portal authors

# SIP messages for tests: kept as a list of header fields in the order in
# which they stand, so that a test can see exactly what was sent and can send
# what no proper stack would.

use warnings;
use strict;

my %COMPACT = (
    v => 'Via', f => 'From', t => 'To', i => 'Call-ID', m => 'Contact',
    l => 'Content-Length', c => 'Content-Type', k => 'Supported',
    e => 'Content-Encoding', s => 'Subject', o => 'Event',
);

my $serial = 0;

# a message out of bytes; undef when it is none

sub parse {
    my ($class, $bytes) = @_;

    my ($head, $body) = split /\r\n\r\n/, $bytes, 2;
    return undef unless defined $body;

    $head =~ s/\r\n[ \t]+/ /g;
    my ($start, @lines) = split /\r\n/, $head;

    my $self = bless { headers => [], body => $body, raw => $bytes }, $class;
    $self->start($start) or return undef;

    for my $line (@lines) {
        $line =~ /^([^:\s]+)\s*:\s*(.*?)\s*$/ or return undef;
        push @{$self->{headers}}, [ $COMPACT{lc $1} || $1, $2 ];
    }

    return $self;
}

sub start {
    my ($self, $start) = @_;

    if ($start =~ m!^SIP/2\.0 (\d{3}) (.*)$!) {
        @$self{qw/ code reason /} = ($1, $2);

    } elsif ($start =~ m!^(\S+) (\S+) SIP/2\.0$!) {
        @$self{qw/ method uri /} = ($1, $2);

    } else {
        return 0;
    }

    $self->{start} = $start;

    return 1;
}

# new message: a start line and header fields as pairs

sub new {
    my ($class, $start, $headers, $body) = @_;

    my $self = bless { headers => [], body => defined $body ? $body : '' },
        $class;
    $self->start($start) or die "bad start line: $start\n";
    $self->add(splice @$headers, 0, 2) while @$headers;

    return $self;
}

# a response to a request, as an end point makes it

sub response {
    my ($self, $code, $reason, %o) = @_;
    my @headers;

    push @headers, Via => $_ for $self->all('Via');
    push @headers, 'Record-Route' => $_ for $self->all('Record-Route');

    my $to = $self->h('To');
    $to .= ';tag=' . ($o{tag} || 't' . $self->hash())
        if $code > 100 && $to !~ /;tag=/;

    push @headers, From => $self->h('From'), To => $to,
        'Call-ID' => $self->h('Call-ID'), CSeq => $self->h('CSeq'),
        @{$o{headers} || []};

    return ref($self)->new("SIP/2.0 $code $reason", \@headers, $o{body});
}

# a tag that is the same for each response to a request

sub hash {
    my ($self) = @_;

    return unpack '%32C*', $self->h('Call-ID') . $self->h('CSeq');
}

sub bytes {
    my ($self) = @_;
    my $s = "$self->{start}\r\n";

    $s .= "$_->[0]: $_->[1]\r\n" for @{$self->{headers}};
    $s .= 'Content-Length: ' . length($self->{body}) . "\r\n"
        unless defined $self->h('Content-Length');

    return "$s\r\n$self->{body}";
}

# header fields: the first, all in order, number of lines

sub h { return ($_[0]->all($_[1]))[0] }

sub all {
    my ($self, $name) = @_;

    return map { $_->[1] }
        grep { lc $_->[0] eq lc $name } @{$self->{headers}};
}

# values of a header field that may hold several, one by one

sub list {
    my ($self, $name) = @_;
    my @values;

    for my $line ($self->all($name)) {
        push @values, $1
            while $line =~ /\G[\s,]*((?:<[^>]*>|"(?:\\.|[^"\\])*"|[^,<"])+)/g;
    }

    return @values;
}

sub add {
    my ($self, $name, $value) = @_;

    push @{$self->{headers}}, [ $name, $value ];

    return $self;
}

sub set {
    my ($self, $name, $value) = @_;

    for my $header (@{$self->{headers}}) {
        next if lc $header->[0] ne lc $name;
        $header->[1] = $value;
        return $self;
    }

    return $self->add($name, $value);
}

sub remove {
    my ($self, $name) = @_;

    @{$self->{headers}} = grep { lc $_->[0] ne lc $name } @{$self->{headers}};

    return $self;
}

sub cseq { return ($_[0]->h('CSeq') =~ /^(\d+)/)[0] }
sub cseq_method { return ($_[0]->h('CSeq') =~ /^\d+\s+(\S+)/)[0] }
sub branch { return (($_[0]->h('Via') || '') =~ /;branch=([^;,\s]+)/)[0] }
sub tag { return (($_[0]->h($_[1]) || '') =~ /;tag=([^;,\s]+)/)[0] }
sub is_request { return defined $_[0]->{method} }

# the URI of a From, To, Contact, Route...

sub uri_of {
    my ($value) = @_;

    return undef unless defined $value;
    return $value =~ /<([^>]*)>/ ? $1 : ($value =~ /^\s*([^;,\s]+)/)[0];
}

# unique text for branches, tags, Call-IDs

sub unique { return sprintf '%s%x%04x%x', $_[0] || 'u', $$, ++$serial, time }

# What comes when no message came in time: false, and silent when it is asked
# for something, so that a test can go on and fail where it looks.

package IMS::SIP::None;

use overload bool => sub { 0 }, '""' => sub { 'no message' }, fallback => 1;

our $AUTOLOAD;

sub new { return bless { body => '', raw => '' }, shift }
sub DESTROY { }
sub AUTOLOAD { return }

1;
