package IMS::Admin;

# Copyright (C) the IMS portal authors

# An administrator: asks the administration API, and holds every answer against
# docs/admin-api.yaml.

use warnings;
use strict;

use Cwd ();
use File::Basename ();
use IMS::OpenAPI;
use JSON::PP ();
use Test::Nginx qw/ port /;

my $FILE = Cwd::abs_path(File::Basename::dirname(__FILE__)
    . '/../../../docs/admin-api.yaml');

# base: the location; port

sub new {
    my ($class, %o) = @_;

    return bless {
        base => '/ims/admin/', api => IMS::OpenAPI->new($FILE),
        wrong => [], said => [], %o,
    }, $class;
}

# Asks; status, head, body, json of the answer. json: what is sent; body, type:
# as they are; headers: more lines; plain: not held against the file.

sub ask {
    my ($self, $method, $path, %o) = @_;

    my $body = defined $o{json} ? JSON::PP->new()->canonical()
        ->encode($o{json}) : $o{body};
    my $type = exists $o{type} ? $o{type} : 'application/json';

    my $request = "$method $self->{base}$path HTTP/1.1\r\nHost: localhost\r\n"
        . "Connection: close\r\n";
    $request .= "$_\r\n" for @{$o{headers} || []};
    $request .= "Content-Type: $type\r\n" if defined $body && defined $type;
    $request .= 'Content-Length: ' . length($body) . "\r\n" if defined $body;

    my $s = IO::Socket::INET->new(Proto => 'tcp',
        PeerAddr => '127.0.0.1:' . ($self->{port} || port(8080)))
        or die "can't connect: $!\n";

    my $reply = Test::Nginx::http($request . "\r\n"
        . (defined $body ? $body : ''), socket => $s);
    $reply = '' unless defined $reply;

    push @{$self->{said}}, $reply;

    my ($head, $text) = split /\r\n\r\n/, $reply, 2;
    $head = '' unless defined $head;
    $text = '' unless defined $text;

    my $r = {
        status => ($head =~ m!^HTTP/1\.\d (\d+)!)[0] || 0, head => "$head\r\n",
        body => $text, json => scalar eval { JSON::PP::decode_json($text) },
        type => scalar(($head =~ /^Content-Type: (\S+)/mi)[0]),
    };

    if (!$o{plain}) {
        my $wrong = $self->{api}->check($method, "/$path", $r->{status},
            $r->{type}, length $text ? $r->{json} : undef);

        push @{$self->{wrong}}, $wrong if length $wrong;
        push @{$self->{wrong}}, "$method $path: may be stored"
            unless $head =~ /^Cache-Control: no-store/mi;
    }

    return $r;
}

sub get { my ($self, @args) = @_; return $self->ask('GET', @args) }
sub del { my ($self, @args) = @_; return $self->ask('DELETE', @args) }

sub post {
    my ($self, $path, $json, %o) = @_;

    return $self->ask('POST', $path, json => $json, %o);
}

# what did not hold against the file, each once

sub wrong {
    my ($self) = @_;

    my %seen;

    return join "\n", grep { !$seen{$_}++ } @{$self->{wrong}};
}

# a list, all pages of it

sub all {
    my ($self, $path, %o) = @_;

    my $limit = $o{limit} || 100;
    my ($name) = $path =~ /(\w+)(?:\?|$)/;
    my ($next, $pages, @all) = ('', 0);

    $name = 'blocks' if $name eq 'block';

    while (defined $next && $pages++ < 100_000) {
        my $r = $self->get($path . ($path =~ /\?/ ? '&' : '?')
            . "limit=$limit" . (length $next ? "&cursor=$next" : ''));

        die "$path: $r->{status} $r->{body}\n" if $r->{status} != 200;

        push @all, @{$r->{json}{$name}};
        $next = $r->{json}{next};
    }

    return @all;
}

1;
