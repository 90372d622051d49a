package Flow;

# Copyright (C) the IMS portal authors

# A call of a browser to the far end with media in it: packets go there and
# back all the time, by t/media/mh_flow and a far end that sends each back.

use warnings;
use strict;

use File::Basename qw(dirname);
use IMS::Loop;
use IO::Select;
use IO::Socket::INET;
use IPC::Open2;

my $flow = dirname(__FILE__) . '/../media/build/mh_flow';

# The far end's media; its port, for Far->sdp(). $t is the Test::Nginx.

sub echo {
    my ($t) = @_;
    my $s = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1')
        or die "no socket: $!\n";

    $t->run_daemon(sub {
        local $SIG{TERM} = 'DEFAULT';
        while (defined(my $from = $s->recv(my $packet, 2048))) {
            $s->send($packet, 0, $from);
        }
    });

    return $s->sockport();
}

# calls: Calls; browser; port: that of echo(). In the result: web, far (the
# dialogs of either end), browser.

sub call {
    my ($class, $calls, $browser, $port) = @_;
    my $self = bless { browser => $browser }, $class;

    $self->{pid} = open2($self->{out}, $self->{in}, $flow, '127.0.0.1');

    my $far = $calls->{far};
    my $sent = $browser->start('INVITE', to => Calls::number(),
        body => $self->sdp(), headers => [ Calls::sdp_headers() ]);
    my $seen = $far->expect('INVITE');
    my $answer = $far->respond($seen, 200, 'OK', sdp => { port => $port });
    my $ok = $browser->final('INVITE');

    $self->{web} = $browser->dialog($sent, $ok, 1);
    $self->{far} = $far->dialog($seen, $answer, 0);
    $browser->within($self->{web}, 'ACK');
    $far->expect('ACK');

    print {$self->{in}} $ok->{body}, ".\n";
    $self->{in}->flush();
    $self->{state} = $self->line();
    die "media: $self->{state}\n" if $self->{state} ne "connected";

    return $self;
}

sub line {
    my ($self) = @_;
    my $out = IO::Select->new($self->{out});

    $self->{said} //= '';

    while (1) {
        return $1 if $self->{said} =~ s/^(.*)\n//;
        $out->can_read(10 * $IMS::Loop::SLOW) or return '';
        sysread $self->{out}, $self->{said}, 4096, length $self->{said}
            or return '';
    }
}

sub sdp {
    my ($self) = @_;
    my ($sdp, $line) = ('');

    $sdp .= "$line\n" while ($line = $self->line()) ne '' && $line ne '.';

    return $sdp =~ s/\r?\n/\r\n/gr;
}

# What became of the packets since it was asked last: sent, received, gap (ms,
# by packets that were lost), delay (ms, but for what this host's load did).

sub now {
    my ($self) = @_;

    print {$self->{in}} "now\n";
    $self->{in}->flush();

    my ($sent, $received, $run, $delay, $late) = split ' ', $self->line();

    return { sent => $sent // 0, received => $received // 0,
        gap => 20 * ($run // 1e6), delay => ($delay // 1e6) - ($late // 0) };
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $!);

    close $_ for grep { defined } @$self{qw/ in out /};
    waitpid $self->{pid}, 0 if $self->{pid};
}

1;
