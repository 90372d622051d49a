package IMS::JWT;

# Copyright (C) the IMS portal authors

# The login service of a test: keys made on the spot, tokens good and bad.
# The key file holds public keys of ES256 and RS256 and a secret for HS256.

use warnings;
use strict;

use Crypt::JWT qw/ encode_jwt /;
use Crypt::PK::ECC;
use Crypt::PK::RSA;
use JSON::PP qw/ encode_json /;
use MIME::Base64 qw/ encode_base64url /;

use constant {
    ISSUER => 'https://login.acme.example',
    AUDIENCE => 'ims-portal',
};

# t: the Test::Nginx object in whose folder login.jwks goes. rsa: with an RSA
# key (takes a moment).

sub new {
    my ($class, $t, %o) = @_;

    my $self = bless { t => $t->testdir() }, $class;

    $self->{key}{ES256} = Crypt::PK::ECC->new()->generate_key('secp256r1');
    $self->{key}{RS256} = Crypt::PK::RSA->new()->generate_key(256)
        if $o{rsa};
    $self->{key}{HS256} = 'a secret of thirty-two bytes ...';
    $self->{kid} = { ES256 => 'e1', RS256 => 'r1', HS256 => 'h1' };

    $t->write_file('login.jwks', encode_json({
        keys => [ map { $self->jwk($_) } sort keys %{$self->{key}} ]
    }));
    chmod 0600, "$self->{t}/login.jwks" or die "chmod: $!\n";

    return $self;
}

sub jwk {
    my ($self, $alg) = @_;
    my $key = $self->{key}{$alg};

    my $jwk = ref $key ? $key->export_key_jwk('public', 1)
        : { kty => 'oct', k => encode_base64url($key) };

    return { %$jwk, kid => $self->{kid}{$alg}, alg => $alg, use => 'sig' };
}

# A JWK set of the public keys, as a login publishes it.

sub public {
    my ($self) = @_;

    return encode_json({ keys => [ map { $self->jwk($_) }
        grep { ref $self->{key}{$_} } sort keys %{$self->{key}} ] });
}

sub pem { return $_[0]->{key}{$_[1]}->export_key_pem('public') }

sub claims {
    my ($self, $sub, %change) = @_;

    my %claims = (
        iss => ISSUER, aud => AUDIENCE, sub => $sub, iat => time(),
        exp => time() + 3600, %change,
    );

    delete $claims{$_} for grep { !defined $claims{$_} } keys %claims;

    return \%claims;
}

# A token for a user; the rest are claims, undef takes one away.

sub token {
    my ($self, $sub, %change) = @_;

    return $self->sign('ES256', $self->claims($sub, %change));
}

sub sign {
    my ($self, $alg, $claims, %o) = @_;

    return encode_jwt(payload => $claims, alg => $alg,
        key => defined $o{key} ? $o{key} : $self->{key}{$alg},
        extra_headers => { kid => $self->{kid}{$alg}, typ => 'JWT',
            %{$o{header} || {}} },
        auto_iat => 0);
}

# A token whose two JSON texts are given as they are, signed with ES256 or with
# nothing.

sub raw {
    my ($self, $header, $payload, $alg) = @_;

    my $text = encode_base64url($header) . '.' . encode_base64url($payload);

    return "$text." unless defined $alg;
    return "$text." . encode_base64url(
        $self->{key}{$alg}->sign_message_rfc7518($text, 'SHA256'));
}

1;
