package IMS::Subscription;

# Copyright (C) the IMS portal authors

# Subscriptions between a browser and the core, for the tests that are about
# their dialogs.

use warnings;
use strict;

use base qw/ Exporter /;

our @EXPORT_OK = qw/ notify subscribe_up subscribe_down /;

# The browser subscribes. event, expires; until => 'sent' stops at the core.
# In the result: sent, seen; answer, ok; web, core: the dialog of either end.

sub subscribe_up {
    my ($web, $core, %o) = @_;

    my $sub = { sent => $web->start('SUBSCRIBE', headers => [
        Event => $o{event}, Expires => $o{expires} || 600 ]) };

    $sub->{seen} = $core->expect('SUBSCRIBE')
        or die "no SUBSCRIBE at the core\n";
    return $sub if $o{until};

    $sub->{answer} = $core->reply($sub->{seen}, 200, 'OK', headers => [
        Contact => $core->contact(), Expires => $o{expires} || 600 ]);
    $sub->{ok} = $web->final('SUBSCRIBE') or die "no 200 at the browser\n";
    $sub->{web} = $web->dialog($sub->{sent}, $sub->{ok}, 1);
    $sub->{core} = $core->dialog($sub->{seen}, $sub->{answer}, 0);

    return $sub;
}

# the core does

sub subscribe_down {
    my ($web, $core, %o) = @_;

    my $sub = { sent => $core->terminating('SUBSCRIBE', to => $web->{impu},
        headers => [ Event => $o{event}, Expires => $o{expires} || 600 ]) };

    $sub->{seen} = $web->expect('SUBSCRIBE')
        or die "no SUBSCRIBE at the browser\n";
    return $sub if $o{until};

    $sub->{answer} = $web->reply($sub->{seen}, 200, 'OK', headers => [
        Contact => $web->contact(), Expires => $o{expires} || 600 ]);
    $sub->{ok} = $core->final('SUBSCRIBE') or die "no 200 at the core\n";
    $sub->{core} = $core->dialog($sub->{sent}, $sub->{ok}, 1);
    $sub->{web} = $web->dialog($sub->{seen}, $sub->{answer}, 0);

    return $sub;
}

# A NOTIFY from one end and its answer. event, headers, body; code: of the
# answer. In the result: seen at the other end, ok: the answer that came back.

sub notify {
    my ($from, $dialog, $to, $state, %o) = @_;

    $from->within($dialog, 'NOTIFY', headers => [
        Event => $o{event} || 'presence', 'Subscription-State' => $state,
        Contact => $from->contact(), @{$o{headers} || []} ],
        body => $o{body});

    my $seen = $to->expect('NOTIFY') or die "no NOTIFY\n";
    $to->reply($seen, $o{code} || 200, 'OK');

    return { seen => $seen, ok => $from->final('NOTIFY') };
}

1;
