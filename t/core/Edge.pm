package Edge;

# Copyright (C) the IMS portal authors

# A core under test, and an edge and a far end that speak raw SIP to it.

use warnings;
use strict;

use Digest::MD5 qw(md5_hex);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::IP;
use Socket qw(AF_INET6 SOCK_DGRAM inet_aton inet_pton pack_sockaddr_in
    pack_sockaddr_in6);
use Test::More;
use Time::HiRes qw(sleep time);

my $script = dirname(__FILE__) . '/core';
my $n = 0;

my @cores;

# Starts a core.  %env is its environment; "host" (127.0.0.1) is that of the edge
# and the core, while the far end is on IPv4.  The object has
#   edge, farend, stranger   sockets
#   port, sport              ports of I-CSCF and S-CSCF
#   home, block              domains
sub new {
    my ($class, %env) = @_;
    my $host = delete $env{host} || '127.0.0.1';
    my $self = bless {
        dir => tempdir('ims-core-XXXXXX', TMPDIR => 1, CLEANUP => 1),
        host => $host, uri => $host =~ /:/ ? "[$host]" : $host,
        home => 'ims.operator.example', block => 'acme.ims.operator.example',
        proto => 'udp',
    }, $class;

    chmod 0755, $self->{dir};
    $self->{$_} = udp($host) for 'edge', 'stranger';
    $self->{farend} = udp('127.0.0.1');
    ($self->{port}, $self->{sport}) = $self->free_ports();

    %ENV = (%ENV, CORE => "$self->{uri}:$self->{port}",
        SCSCF => "$self->{uri}:$self->{sport}",
        EDGE => "$self->{uri}:" . $self->{edge}->sockport(),
        FAREND => '127.0.0.1:' . $self->{farend}->sockport(),
        LISTEN => $host =~ /:/ ? "udp:127.0.0.1:$self->{port}" : '', %env);

    system($script, 'start', $self->{dir}) == 0
        or BAIL_OUT('the core does not start');
    push @cores, $self;

    return $self;
}

sub udp {
    my ($host) = @_;

    return IO::Socket::IP->new(Proto => 'udp', LocalHost => $host,
        LocalPort => 0) || die "no socket: $!";
}

# two, free for UDP and TCP
sub free_ports {
    my ($self) = @_;
    my @held = map { IO::Socket::IP->new(LocalHost => $self->{host},
        LocalPort => 0, Listen => 1) || die "no socket: $!" } 1, 2;
    my @ports = map { $_->sockport() } @held;

    return @ports;
}

# a command of t/core/core, its output
sub core {
    my ($self, $command, @args) = @_;

    open my $f, '-|', $script, $command, $self->{dir}, @args
        or die "no $script: $!";
    my @lines = <$f>;
    close $f;
    chomp @lines;

    return @lines;
}

# one SIP request with given start line and header lines; a value of undef takes
# a default line away
sub request {
    my ($self, $sock, $method, $uri, %h) = @_;
    my $host = $sock->sockhost();
    my $me = ($host =~ /:/ ? "[$host]" : $host) . ':' . $sock->sockport();
    my $cseq = delete $h{_cseq} || 1;
    my $body = delete $h{_body} // '';
    my $proto = uc(delete $h{_proto} // $self->{proto});

    $n++;

    my @lines = (
        ['Via', "SIP/2.0/$proto $me;branch=z9hG4bK$$.$n"],
        ['Max-Forwards', 70],
        ['From', "<sip:u001\@$self->{block}>;tag=f$n"],
        ['To', "<sip:u001\@$self->{block}>"],
        ['Call-ID', "$$.$n\@edge"],
        ['CSeq', "$cseq $method"],
    );

    for my $l (@lines) {
        $l->[1] = delete $h{$l->[0]} if exists $h{$l->[0]};
    }

    push @lines, map { [$_, $h{$_}] } sort grep { defined $h{$_} } keys %h;

    return "$method $uri SIP/2.0\r\n"
        . join('', map { "$_->[0]: $_->[1]\r\n" } @lines)
        . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
}

# to the I-CSCF or, with a Route, to the S-CSCF; a stream goes where it goes
sub send_to_core {
    my ($self, $sock, $msg) = @_;

    if ($sock->socktype() != SOCK_DGRAM) {
        print $sock $msg;
        return;
    }

    $sock->send($msg, 0, address(
        $sock->sockhost() =~ /:/ ? '::1' : '127.0.0.1',
        $msg =~ /^Route:/m ? $self->{sport} : $self->{port}));
}

sub address {
    my ($host, $port) = @_;

    return pack_sockaddr_in6($port, inet_pton(AF_INET6, $host =~ tr/[]//dr))
        if $host =~ /:/;
    return pack_sockaddr_in($port, inet_aton($host));
}

# the next message that matches; what else comes is dropped
sub receive {
    my ($sock, $want, $seconds) = @_;
    my $s = IO::Select->new($sock);
    my $end = time() + ($seconds || 6);

    while (time() < $end) {
        my $buf = next_message($sock, $s);

        return '' unless defined $buf;
        return $buf if $buf ne '' && $buf =~ $want;
    }

    return '';
}

# one message, "" when there is none as yet, undef at the end of a stream
sub next_message {
    my ($sock, $select) = @_;

    if ($sock->socktype() == SOCK_DGRAM) {
        return '' unless $select->can_read(0.2);
        $sock->recv(my $buf, 65535);
        return $buf;
    }

    my $in = \(${*$sock}{ims_in} //= '');

    $$in =~ s/^(?:\r\n)+//;

    if ($$in =~ /^(.*?\r\n\r\n)/s) {
        my $head = $1;
        my ($len) = $head =~ /^(?:Content-Length|l):\s*(\d+)/mi;

        $len = length($head) + ($len // 0);
        return substr $$in, 0, $len, '' if length $$in >= $len;
    }

    return '' if !(ref $sock eq 'IO::Socket::SSL' && $sock->pending())
        && !$select->can_read(0.2);
    return sysread($sock, $$in, 65536, length $$in) ? '' : undef;
}

# sends and returns the final response
sub ask {
    my ($self, $sock, @args) = @_;
    my $msg = $self->request($sock, @args);
    my ($id) = $msg =~ /^Call-ID: (.*?)\r/m;

    $self->send_to_core($sock, $msg);
    return receive($sock, qr{^SIP/2.0 [2-6].*^Call-ID: \Q$id\E\r}ms);
}

# an answer to a request that was received, to where it came from
sub answer {
    my ($self, $sock, $msg, $status, %h) = @_;
    my $tag = delete $h{_tag} // 'there';

    $msg =~ s/^.*?\r\n/SIP\/2.0 $status\r\n/s;
    $msg =~ s/^(To: [^\r]*?)(;tag=[^\r;]*)?\r/$1;tag=$tag\r/mi;
    $msg =~ s/^Contact: .*?\r\n//mi;
    $msg =~ s/\r\n\r\n.*/\r\n\r\n/s;
    $msg =~ s/^Content-Length: \d+/Content-Length: 0/mi;
    $msg =~ s/\r\n\r\n/\r\n$_: $h{$_}\r\n\r\n/ for sort keys %h;

    if ($sock->socktype() == SOCK_DGRAM) {
        my ($host, $port) = $msg =~ /^Via: \S+ (\[[^\]]*\]|[^:;]+):(\d+)/mi;
        $sock->send($msg, 0, address($host, $port));

    } else {
        print $sock $msg;
    }
}

sub status {
    my ($msg) = @_;
    return $msg =~ /^SIP\/2.0 (\d+)/ ? $1 : 'no answer';
}

sub reason {
    my ($msg) = @_;
    return $msg =~ /^SIP\/2.0 \d+ (.*?)\r/ ? $1 : '';
}

sub header {
    my ($msg, $name) = @_;
    return join ', ', $msg =~ /^\Q$name\E: (.*?)\r$/mig;
}

# what a trusted edge says
sub trusted {
    my ($self, $impi) = @_;

    return "Digest username=\"$impi\", realm=\"$self->{home}\", nonce=\"\", "
        . "uri=\"sip:$self->{home}\", response=\"\", "
        . 'integrity-protected="auth-done"';
}

# the answer to a challenge; without one the first Authorization; %h is what
# else it says
sub digest {
    my ($self, $impi, $secret, $challenge, %h) = @_;
    my $algorithm = delete $h{algorithm} // 'MD5';
    my $uri = delete $h{uri} // "sip:$self->{home}";
    my $method = delete $h{method} // 'REGISTER';
    my ($nonce) = ($challenge // '') =~ /nonce="([^"]*)"/;
    my $a = "Digest username=\"$impi\", realm=\"$self->{home}\", "
        . "uri=\"$uri\", ";

    return $a . 'nonce="", response=""' unless $nonce;

    my $ha1 = md5_hex("$impi:$self->{home}:$secret");
    my $ha2 = md5_hex("$method:$uri");
    my $resp = md5_hex("$ha1:$nonce:00000001:abcd:auth:$ha2");

    return $a . "nonce=\"$nonce\", qop=auth, nc=00000001, cnonce=\"abcd\", "
        . "algorithm=$algorithm, response=\"$resp\""
        . join('', map { ", $_=\"$h{$_}\"" } sort keys %h);
}

# a REGISTER as it should be, changed by the arguments; the edge's address in
# Path and Contact is that of "_me"
sub register {
    my ($self, $user, %h) = @_;
    my $sock = delete $h{_sock} || $self->{edge};
    my $me = delete $h{_me} || "$self->{uri}:" . $self->{edge}->sockport();
    my $aor = $user =~ /@/ ? $user : "$user\@$self->{block}";
    my $token = $aor =~ s/\@.*//r;

    return $self->ask($sock, 'REGISTER', "sip:$self->{home}",
        From => "<sip:$aor>;tag=r$n",
        To => "<sip:$aor>",
        Contact => "<sip:$token.binding\@$me>",
        Expires => 600,
        Path => "<sip:token$token\@$me;lr;ob>",
        Supported => 'path, outbound',
        Require => 'path',
        'P-Visited-Network-ID' => '"corp.example"',
        'P-Charging-Vector' => 'icid-value=1234',
        Authorization => $self->trusted("acme-pool-1\@$self->{home}"),
        %h);
}

# header lines of a good request of u001
sub good {
    my ($self, %h) = @_;

    return (
        Route => "<sip:orig\@$self->{uri}:$self->{sport};lr>",
        To => "<sip:9197\@$self->{home}>",
        'P-Asserted-Identity' => "<sip:u001\@$self->{block}>",
        'P-Charging-Vector' => 'icid-value=77',
        Contact => "<sip:c\@$self->{uri}:" . $self->{edge}->sockport() . '>',
        %h);
}

# stops and, after so many seconds, starts again: all registrations are gone
sub restart {
    my ($self, $seconds) = @_;

    system($script, 'stop', $self->{dir});
    sleep($seconds || 0);

    return system($script, 'start', $self->{dir}) == 0;
}

sub stop {
    my ($self) = @_;

    system($script, 'stop', $self->{dir}) == 0 or warn "not stopped\n";
}

END {
    my $rc = $?;
    $_->stop() for @cores;
    $? = $rc;
}

1;
