package IMS::OpenAPI;

# Copyright (C) the IMS portal authors

# Real answers held against an OpenAPI 3.0 file: paths, methods, status codes,
# content types, required members, types, enums, and no members that are not
# described. The file keeps to the part of YAML that perl's own CPAN::Meta::YAML
# reads: blocks, no flow collections, no anchors.

use warnings;
use strict;

use CPAN::Meta::YAML;
use JSON::PP ();

sub new {
    my ($class, $file) = @_;

    my $doc = CPAN::Meta::YAML->read($file)->[0];

    die "$file: not OpenAPI 3.0\n" unless ($doc->{openapi} || '') =~ /^3\.0\./;

    return bless { doc => $doc, seen => {} }, $class;
}

# "#/components/schemas/Lease" and the like

sub deref {
    my ($self, $node) = @_;

    while (ref $node eq 'HASH' && defined $node->{'$ref'}) {
        my $at = $self->{doc};

        $node->{'$ref'} =~ m!^#/(.*)$! or die "bad \$ref\n";
        $at = $at->{$_} for split m!/!, $1;
        die "nothing at $node->{'$ref'}\n" unless defined $at;

        $node = $at;
    }

    return $node;
}

# the template of a path, below what the file's server URL stands for

sub path {
    my ($self, $path) = @_;

    $path =~ s/\?.*//s;

    for my $name (sort { ($a =~ tr/{//) <=> ($b =~ tr/{//) }
        keys %{$self->{doc}{paths}})
    {
        my $re = join '', map { /^\{/ ? '[^/]+' : quotemeta }
            split /(\{\w+\})/, $name;

        return $name if $path =~ /^$re$/;
    }

    return undef;
}

# What is wrong with an answer, or ''. path: without the server's part; json:
# decoded, undef: there is no body.

sub check {
    my ($self, $method, $path, $status, $type, $json) = @_;

    my $name = $self->path($path);
    return "$path: no such path" unless defined $name;

    my $item = $self->{doc}{paths}{$name};
    my $op = $item->{lc($method eq 'HEAD' ? 'GET' : $method)};

    # 405 is told for methods that are not there

    return $status == 405 ? '' : "$name: no $method" unless $op;

    my $answer = $self->deref($op->{responses}{$status});
    return "$method $name: $status is not described" unless $answer;

    $self->{seen}{uc($method) . " $name $status"}++;

    my $content = $answer->{content};

    if (!$content) {
        return defined $json ? "$method $name $status: has a body" : '';
    }

    return '' if $method eq 'HEAD';

    ($type = $type || '') =~ s/\s*;.*//;
    return "$method $name $status: is $type" unless $content->{$type};

    my $wrong = $self->value($json, $content->{$type}{schema}, '');

    return $wrong eq '' ? '' : "$method $name $status: $wrong";
}

# What is wrong with the header lines of an answer, or ''.

sub headers {
    my ($self, $method, $path, $status, $head) = @_;

    my $name = $self->path($path);
    return "$path: no such path" unless defined $name;

    my $op = $self->{doc}{paths}{$name}{lc($method eq 'HEAD' ? 'GET'
        : $method)};
    my $headers = $op ? $self->deref($op->{responses}{$status})->{headers}
        : undef;

    for my $line (sort keys %{$headers || {}}) {
        my $what = $self->deref($headers->{$line});
        my ($value) = $head =~ /^\Q$line\E:\s*(.*?)\s*$/mi;

        if (!defined $value) {
            return "$method $name $status: no $line"
                if ($what->{required} || '') eq 'true';
            next;
        }

        $value += 0 if $what->{schema}{type} eq 'integer'
            && $value =~ /^\d+$/;

        my $wrong = $self->value($value, $what->{schema}, $line);
        return "$method $name $status: $wrong" if $wrong ne '';
    }

    return '';
}

# operations with status that were never seen

sub unseen {
    my ($self) = @_;

    my @all;

    for my $path (sort keys %{$self->{doc}{paths}}) {
        my $item = $self->{doc}{paths}{$path};

        for my $method (grep { /^(?:get|put|post|delete)$/ } sort keys %$item) {
            push @all, map { uc($method) . " $path $_" }
                sort keys %{$item->{$method}{responses}};
        }
    }

    return grep { !$self->{seen}{$_} } @all;
}

sub is_flag { return ref $_[0] eq 'JSON::PP::Boolean' }

# numbers of a JSON text, not its strings

sub is_number {
    my ($value) = @_;

    return !ref $value && defined $value
        && JSON::PP->new()->allow_nonref()->encode($value)
            =~ /^-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?$/;
}

sub value {
    my ($self, $value, $schema, $where) = @_;

    $schema = $self->deref($schema);
    $where = 'body' if $where eq '';

    if (!defined $value) {
        return ($schema->{nullable} || '') eq 'true' ? ''
            : "$where is null";
    }

    my $type = $schema->{type} || 'object';

    if ($type eq 'object') {
        return "$where is no object" unless ref $value eq 'HASH';

        for my $name (@{$schema->{required} || []}) {
            return "$where.$name is missing" unless exists $value->{$name};
        }

        for my $name (sort keys %$value) {
            my $member = $schema->{properties}{$name};

            return "$where.$name is not described" unless $member;

            my $wrong = $self->value($value->{$name}, $member,
                "$where.$name");
            return $wrong if $wrong ne '';
        }

        return '';
    }

    if ($type eq 'array') {
        return "$where is no array" unless ref $value eq 'ARRAY';

        for my $i (0 .. $#$value) {
            my $wrong = $self->value($value->[$i], $schema->{items},
                "$where\[$i]");
            return $wrong if $wrong ne '';
        }

        return '';
    }

    return is_flag($value) ? '' : "$where is no boolean"
        if $type eq 'boolean';

    return is_number($value) && $value =~ /^-?\d+$/ ? ''
        : "$where is no integer" if $type eq 'integer';

    return "$where is no text" if ref $value || is_number($value);

    if ($schema->{enum}) {
        return "$where is \"$value\""
            unless grep { $_ eq $value } @{$schema->{enum}};
    }

    return '';
}

1;
