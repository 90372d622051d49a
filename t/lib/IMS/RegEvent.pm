package IMS::RegEvent;

# Copyright (C) the IMS portal authors

# The notifier of registration states (RFC 3680): accepts subscriptions on a
# scripted core, tells what the test says.

use warnings;
use strict;

use IMS::SIP;

# core: IMS::Core; expires: what a subscription is granted; record_route: a
# list, as it stands in the 200

sub new {
    my ($class, $core, %o) = @_;

    my $self = bless { core => $core, version => 1, tag => 0, %o }, $class;

    $core->{on}{SUBSCRIBE} = sub { $self->subscribe($_[1]) };

    return $self;
}

sub subscribe {
    my ($self, $msg) = @_;

    my $core = $self->{core};
    my $to = $msg->h('To');
    $to .= ';tag=notifier' . ++$self->{tag} unless $to =~ /;tag=/;

    @$self{qw/ subscribe to /} = ($msg, $to) if $msg->h('Expires');

    my $reply = $core->reply($msg, 200, 'Subscription to REG saved',
        headers => [ Contact => '<sip:notifier@' . $core->host() . '>',
            Expires => $self->{expires} && $msg->h('Expires')
                ? $self->{expires} : $msg->h('Expires'),
            map { +'Record-Route' => $_ } @{$self->{record_route} || []} ],
        tag => $to =~ /tag=(\w+)/ ? $1 : undef);

    return $reply;
}

# one contact element of ours

sub contact {
    my ($self, $state, $event, %o) = @_;

    my $uri = IMS::SIP::uri_of($self->{subscribe}->h('Contact'));
    my $more = join '', map { " $_=\"$o{$_}\"" } sort keys %o;

    return "<contact id=\"c\" state=\"$state\" event=\"$event\"$more>"
        . "<uri>$uri</uri></contact>";
}

# A NOTIFY: of the state of the registration, with these contact elements.
# full: 0 or 1; version: the next one without; body: instead; id: of another
# subscription; headers: more of them.

sub notify {
    my ($self, $state, $contacts, %o) = @_;

    my $msg = $self->{subscribe};
    my $aor = IMS::SIP::uri_of($msg->h('To'));
    my $version = defined $o{version} ? $o{version} : ++$self->{version};
    my $kind = $o{full} ? 'full' : 'partial';
    my $body = defined $o{body} ? $o{body} : '<?xml version="1.0"?>'
        . '<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" '
        . "version=\"$version\" state=\"$kind\">"
        . "<registration aor=\"$aor\" id=\"r\" state=\"$state\">"
        . ($contacts || '') . '</registration></reginfo>';

    return $self->{core}->send_request(IMS::SIP->new(
        'NOTIFY ' . IMS::SIP::uri_of($msg->h('Contact')) . ' SIP/2.0', [
            'Max-Forwards' => 70, From => $self->{to},
            To => $msg->h('From'),
            'Call-ID' => $o{id} || $msg->h('Call-ID'),
            CSeq => ++$self->{cseq} . ' NOTIFY', Event => 'reg',
            Contact => '<sip:notifier@' . $self->{core}->host() . '>',
            'Subscription-State' => $o{subscription}
                || 'active;expires=600',
            'Content-Type' => 'application/reginfo+xml',
        ], $body));
}

1;
