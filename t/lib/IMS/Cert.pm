package IMS::Cert;

# Copyright (C) the IMS portal authors

# Certificates for the TLS of a test: an authority and what it signs.

use warnings;
use strict;

use IO::Socket::SSL::Utils qw/ CERT_create PEM_cert2string PEM_key2string /;

# NAME.pem of an authority in the test's directory

sub authority {
    my ($class, $t, $name) = @_;

    my ($cert, $key) = CERT_create(CA => 1,
        subject => { commonName => "authority $name" });
    my $self = bless { t => $t, issuer => [ $cert, $key ] }, $class;

    $self->{file} = $self->write("$name.pem", PEM_cert2string($cert));

    return $self;
}

sub write {
    my ($self, $name, $text) = @_;

    $self->{t}->write_file($name, $text);

    return $self->{t}->testdir() . "/$name";
}

# NAME.pem and NAME.key; alt: subjectAltName as [ DNS => ... ], [ IP => ... ],
# and behind them options of CERT_create()

sub sign {
    my ($self, $name, @alt) = @_;
    my @names;

    push @names, shift @alt while ref $alt[0];

    my ($cert, $key) = CERT_create(subject => { commonName => $name },
        purpose => 'server,client', subjectAltNames => \@names,
        ($self->{issuer} ? (issuer => $self->{issuer}) : ()), @alt);

    return (
        SSL_cert_file => $self->write("$name.pem", PEM_cert2string($cert)),
        SSL_key_file => $self->write("$name.key", PEM_key2string($key)),
    );
}

# the same, signed by itself

sub own {
    my ($class, $t, $name, @alt) = @_;

    return (bless { t => $t }, $class)->sign($name, @alt);
}

1;
