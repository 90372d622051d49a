package IMS::Attack;

# Copyright (C) the IMS portal authors

# Hostile tokens against a running portal. Each is shown to it three times: to
# the session API, in a handshake, and in a REGISTER; what came back, what the
# log says of it, and that nothing was leased, are one test.

use warnings;
use strict;

use base qw/ Exporter /;

use Digest::SHA qw/ hmac_sha256 hmac_sha384 hmac_sha512 /;
use IMS::Browser;
use IMS::Conf;
use IMS::JWT;
use IMS::Loop;
use JSON::PP ();
use MIME::Base64 qw/ encode_base64url decode_base64url /;
use Scalar::Util qw/ weaken /;
use Test::More ();
use Test::Nginx qw/ port /;

our @EXPORT = qw/ attack_conf compact b64 unb64 /;

# A portal of a hundred identities with room for large headers, and with a
# second WebSocket that takes a token in SIP, too. More parts as for ims_conf().

sub attack_conf {
    my (%o) = @_;

    my $server = delete $o{server} || '';

    # a log without debug, whose lines are one each

    return ims_conf(
        main => 'error_log %%TESTDIR%%/attack.log info;',
        identity => 'sip:u[001-100]@acme.ims.operator.example '
            . 'impi=$user@ims.operator.example',
        server => <<"EOC", %o);
        large_client_header_buffers 4 32k;
        ims_portal_limit_handshakes user off;
        ims_portal_limit_registers off;
        ims_portal_limit_messages off;

        location = /both {
            ims_portal acme;
            ims_portal_auth both;
        }

        $server
EOC
}

sub b64 { return encode_base64url($_[0]) }
sub unb64 { return decode_base64url($_[0]) }

# what is signed, of two texts or two hashes

sub compact {
    my @part = map { b64(ref $_ ? JSON::PP->new->canonical->utf8->encode($_)
        : $_) } @_;

    return join '.', @part;
}

# jwt: the IMS::JWT whose keys the portal has

sub new {
    my ($class, $t, $jwt) = @_;

    my $self = bless { t => $t, jwt => $jwt, seen => 0 }, $class;

    # the end of a test is when nobody holds it any more
    weaken($self->{t});

    return $self;
}

my %HMAC = (HS256 => \&hmac_sha256, HS384 => \&hmac_sha384,
    HS512 => \&hmac_sha512);

# A token of a header and a payload, texts or hashes. alg: how it is signed,
# whatever the header says, or "none"; key: an object of CryptX or a secret,
# else the portal's own.

sub forge {
    my ($self, $header, $payload, $alg, $key) = @_;

    my $text = compact($header, $payload);

    return "$text." if $alg eq 'none';
    return "$text." . b64($self->signature($text, $alg, $key));
}

sub signature {
    my ($self, $text, $alg, $key) = @_;

    $key = $self->{jwt}{key}{$alg} unless defined $key;
    my ($kind, $bits) = $alg =~ /^(..)(...)/;

    return $HMAC{$alg}->($text, $key) if $kind eq 'HS';
    return $key->sign_message_rfc7518($text, "SHA$bits") if $kind eq 'ES';
    return $key->sign_message($text, "SHA$bits", 'v1.5') if $kind eq 'RS';
    return $key->sign_message($text, "SHA$bits", 'pss', $bits / 8)
        if $kind eq 'PS';
    return $key->sign_message($text);
}

# the header that the login service itself would write

sub header {
    my ($self, $alg, %more) = @_;

    return { alg => $alg, typ => 'JWT', kid => $self->{jwt}{kid}{$alg},
        %more };
}

sub claims { my $self = shift; return $self->{jwt}->claims(@_) }

# how many identities are leased

sub leased {
    my $pool = IMS::Browser::api('GET', path => '/ims/status');

    return $pool->{json}{pools}[0]{leased};
}

# what the log has since the last look

sub logged {
    my ($self) = @_;

    my $log = $self->{t}->read_file('attack.log');
    my $new = substr $log, $self->{seen};
    $self->{seen} = length $log;

    return split /\n/, $new;
}

# a socket that has shown no token yet; it has ten seconds

sub socket {
    my ($self) = @_;

    my $web = $self->{web};

    return $web if $web && $web->{sock} && time() - $self->{opened} < 5;

    $web->close() if $web;
    $self->{opened} = time();
    $self->{web} = IMS::Browser->open(path => '/both',
        impu => 'sip:u001@acme.ims.operator.example');

    $self->logged();

    return $self->{web};
}

# what one answer says: its status, and error= of its challenge

sub said {
    my ($status, $challenge) = @_;

    return $status . (defined $challenge
        && $challenge =~ /^Bearer .*\berror="([^"]*)"/ ? " $1" : '');
}

# One token, three ways. words: what error_description and the log say of it,
# a regex; code: what SIP answers instead, before the token is looked at. One
# test.

sub refused {
    my ($self, $title, $token, $words, $code) = @_;

    my @bad = $self->try_all($token, $words || qr/\w/, $code);

    Test::More::is(join("\n", @bad), '', "refused: $title");
}

sub try_all {
    my ($self, $token, $words, $code) = @_;
    my @bad;

    my $before = leased();
    my $web = $self->socket();
    $self->logged();

    my $r = IMS::Browser::api('POST', token => $token);
    my ($challenge) = $r->{head} =~ /^WWW-Authenticate: (.*?)\r$/mi;
    my $said = said($r->{status}, $challenge);
    push @bad, "session API: $said" unless $said eq '401 invalid_token';

    push @bad, 'session API: ' . ($challenge || 'no challenge')
        unless ($challenge || '') =~ /error_description="[^"]*$words[^"]*"/;

    my $ws = IMS::WebSocket->connect(port => port(8080),
        authorization => "Bearer $token");
    $said = said($ws->{status}, $ws->header('WWW-Authenticate'));
    push @bad, "handshake: $said" unless $said eq '401 invalid_token';
    $ws->drop();

    $r = $web->register(headers => [ Authorization => "Bearer $token" ]);
    $said = $r ? said($r->{code}, $r->h('WWW-Authenticate')) : 'nothing';
    push @bad, "REGISTER: $said" unless $said eq ($code || '401 invalid_token');

    push @bad, $self->log_is_clean($words, $code ? 2 : 3);

    my $after = leased();
    push @bad, "leased: $before, then $after" if $after != $before;

    return @bad;
}

# one line for each of them, with nothing of the token in it

sub log_is_clean {
    my ($self, $words, $lines) = @_;
    my (@bad, $n);

    for my $line ($self->logged()) {
        $n++ if $line =~ /token that is refused: .*$words/;

        push @bad, "log: $line" unless $line =~ m!^\d{4}/\d\d/\d\d !
            && $line !~ /[^\x20-\x7e]|eyJ|\[(?:error|crit|alert|emerg)\]/;
    }

    push @bad, 'log: ' . ($n || 0) . ' lines about a token'
        unless $n && $n == $lines;

    return @bad;
}

# a token that is good: its user gets an identity, the same by each way

sub accepted {
    my ($self, $title, $token) = @_;
    my @bad;

    my $r = IMS::Browser::api('POST', token => $token);
    my $impu = $r->{json} && $r->{json}{identity};

    push @bad, "session API: $r->{status} " . ($r->{head} =~ /^(WWW.*)\r$/m
        ? $1 : '') unless $impu;

    my $ws = IMS::WebSocket->connect(port => port(8080),
        authorization => "Bearer $token");
    push @bad, "handshake: $ws->{status}" unless $ws->{status} == 101;
    $ws->close();

    Test::More::is(join("\n", @bad), '', "accepted: $title");

    return $impu;
}

# after all of them the portal still serves: one test

sub still_serves {
    my ($self) = @_;

    my $r = IMS::Browser::api('POST',
        token => $self->{jwt}->token('who comes after'));

    Test::More::is($r->{status}, 201, 'a good token is served after that');
}

1;
