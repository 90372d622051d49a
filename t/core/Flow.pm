package Flow;

# Copyright (C) the IMS portal authors

# A call of a browser to the far end with media in it: packets go there and
# back all the time, see IMS::Flow.

use warnings;
use strict;

use base qw/ IMS::Flow /;

# The far end's media; its port, for Far->sdp(). $t is the Test::Nginx.

sub echo { return IMS::Flow::echo_port($_[0]) }

# calls: Calls; browser; port: that of echo(). In the result: web, far (the
# dialogs of either end), browser.

sub call {
    my ($class, $calls, $browser, $port) = @_;
    my $self = $class->new();
    my $far = $calls->{far};

    $self->{browser} = $browser;

    my $sent = $browser->start('INVITE', to => Calls::number(),
        body => $self->sdp(), headers => [ Calls::sdp_headers() ]);
    my $seen = $far->expect('INVITE');
    my $answer = $far->respond($seen, 200, 'OK', sdp => { port => $port });
    my $ok = $browser->final('INVITE');

    $self->{web} = $browser->dialog($sent, $ok, 1);
    $self->{far} = $far->dialog($seen, $answer, 0);
    $browser->within($self->{web}, 'ACK');
    $far->expect('ACK');

    $self->{state} = $self->go($ok->{body});
    die "media: $self->{state}\n" if $self->{state} ne "connected";

    return $self;
}

# the figures since it was asked last

sub now { return $_[0]->figures() }

1;
