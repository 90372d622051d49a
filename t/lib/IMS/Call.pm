package IMS::Call;

# Copyright (C) the IMS portal authors

# A whole call between a browser and the core, for the tests that are about
# what happens in it or after it.

use warnings;
use strict;

use base qw/ Exporter /;

use IMS::SDP qw/ web_sdp ims_sdp /;

our @EXPORT_OK = qw/ call_up call_down call_at_once hang_up sdp_body /;

sub sdp_body {
    my ($sdp) = @_;

    return (headers => [ 'Content-Type' => 'application/sdp' ], body => $sdp);
}

# The browser calls, the core answers. until => 180 stops before the answer.
# answer: another SDP of the core's. In the result: sent and seen, the INVITE at either end; answer, ok: the 200
# at either end; web, core: the dialog of either end.

sub call_up {
    my ($web, $core, %o) = @_;

    my $sent = $web->start('INVITE', sdp_body(web_sdp()), %o);
    my $seen = $core->expect('INVITE') or die "no INVITE at the core\n";

    $core->reply($seen, 100, 'Trying');
    $core->reply($seen, 180, 'Ringing',
        headers => [ Contact => $core->contact() ]);
    $web->expect('180') or die "no 180 at the browser\n";

    my $call = { sent => $sent, seen => $seen };
    return $call if $o{until};

    $call->{answer} = $core->reply($seen, 200, 'OK',
        headers => [ Contact => $core->contact(),
            'Content-Type' => 'application/sdp' ],
        body => $o{answer} || ims_sdp());
    $call->{ok} = $web->expect('200 INVITE')
        or die "no 200 at the browser\n";
    $call->{web} = $web->dialog($sent, $call->{ok}, 1);
    $call->{core} = $core->dialog($seen, $call->{answer}, 0);
    $web->within($call->{web}, 'ACK');
    $call->{ack} = $core->expect('ACK') or die "no ACK at the core\n";

    return $call;
}

# The browser calls and is answered at once. asks, answers: headers of the
# INVITE and of its 200.

sub call_at_once {
    my ($web, $core, $asks, $answers) = @_;

    my $sent = $web->start('INVITE', headers => [
        'Content-Type' => 'application/sdp', @$asks ], body => web_sdp());
    my $seen = $core->expect('INVITE') or return {};
    my $answer = $core->reply($seen, 200, 'OK', headers => [
        Contact => $core->contact(), 'Content-Type' => 'application/sdp',
        @$answers ], body => ims_sdp());
    my $ok = $web->expect('200 INVITE');
    my $dialog = $web->dialog($sent, $ok, 1);

    $web->within($dialog, 'ACK');
    $core->expect('ACK');

    return { seen => $seen, ok => $ok, web => $dialog,
        core => $core->dialog($seen, $answer, 0) };
}

# The core calls, the browser answers.

sub call_down {
    my ($web, $core, %o) = @_;

    my $sent = $core->terminating('INVITE', to => $web->{impu},
        body => ims_sdp(), headers => [ 'Content-Type' => 'application/sdp',
            @{$o{headers} || []} ]);
    my $seen = $web->expect('INVITE') or die "no INVITE at the browser\n";

    $web->reply($seen, 180, 'Ringing', headers => [
        Contact => $web->contact() ]);
    $core->expect('180') or die "no 180 at the core\n";

    my $call = { sent => $sent, seen => $seen };
    return $call if $o{until};

    $call->{answer} = $web->reply($seen, 200, 'OK',
        headers => [ Contact => $web->contact(),
            'Content-Type' => 'application/sdp' ],
        body => web_sdp(setup => 'active'));
    $call->{ok} = $core->expect('200 INVITE') or die "no 200 at the core\n";
    $call->{core} = $core->dialog($sent, $call->{ok}, 1);
    $call->{web} = $web->dialog($seen, $call->{answer}, 0);
    $core->within($call->{core}, 'ACK');
    $call->{ack} = $web->expect('ACK') or die "no ACK at the browser\n";

    return $call;
}

# One end says BYE, the other 200; the code that came back.

sub hang_up {
    my ($from, $dialog, $to) = @_;

    $from->within($dialog, 'BYE');
    my $bye = $to->expect('BYE') or return 0;
    $to->reply($bye, 200, 'OK');
    my $ok = $from->final('BYE') or return 0;

    return $ok->{code};
}

1;
