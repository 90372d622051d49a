package Calls;

# Copyright (C) the IMS portal authors

# What a test of calls on the real core has: the core, a far end of its
# numbers, the media helper, nginx with the portal, and Mary's browser.

use warnings;
use strict;

use Edge;
use Far;
use File::Basename qw(dirname);
use IMS::Browser;
use IMS::Conf;
use IMS::JWT;
use IMS::Loop;
use IMS::SDP qw/ web_sdp /;
use Test::More;
use Test::Nginx qw/ port /;

my $top = dirname(__FILE__) . '/../..';
my $home = 'ims.operator.example';

# the helper's ports towards the IMS: another test beside this one has others
my ($low, $high);

# $t is the Test::Nginx; core: environment of t/core/core; conf: parts of the
# configuration, where "CORE/" is the core's directory; transport: to it;
# far => 0: without a far end, whose port is for something else
#
# In the object: core (Edge), far (Far), mary (IMS::Browser, registered), jwt.

sub new {
    my ($class, $t, %o) = @_;
    my $farend = port(8995, udp => 1);
    my $self = bless { t => $t, farend => $farend, transport =>
        $o{transport} ? " transport=$o{transport}" : '' }, $class;

    $self->{jwt} = IMS::JWT->new($t);
    $self->{core} = Edge->new(EDGE => '127.0.0.1:' . port(8980, udp => 1),
        FAREND => "127.0.0.1:$farend", %{$o{core} || {}});
    $self->{far} = Far->new(port => $farend,
        core => "127.0.0.1:$self->{core}{port}")
        unless defined $o{far} && !$o{far};

    $self->helper();
    $self->configure(%{$o{conf} || {}});
    $t->run();
    $self->{mary} = $self->browser();

    return $self;
}

sub configure {
    my ($self, %conf) = @_;
    my $core = $self->{core};

    $self->{t}->write_file_expand('nginx.conf', ims_conf(
        identity => "sip:u[001-020]\@acme.$home impi=acme-pool-1\@$home",
        server_ims => "127.0.0.1:$core->{port}" . $self->{transport},
        media => 'unix:%%TESTDIR%%/ng.sock', t1 => 50 * $IMS::Loop::SLOW . 'ms',
        %conf)
        =~ s/CORE\//$core->{dir}\//gr);
}

sub helper {
    my ($self) = @_;
    my $helper = "$top/media-helper/media-helper";
    my $socket = $self->{t}->testdir() . '/ng.sock';
    my $port = port(8996, udp => 1);

    $low = 30000 + 20 * ($port % 500);
    $high = $low + 19;

    BAIL_OUT("no $helper: run make helper") unless -x $helper;

    $self->{t}->run_daemon($helper, '-d', '-c', "unix:$socket", '-w',
        "127.0.0.1:$port", '-i', '127.0.0.1', '-p', "$low-$high");
    IMS::Loop::wait_for(sub { -S $socket }, 5) or BAIL_OUT('no media helper');
}

# a browser that is registered

sub browser {
    my ($self, %o) = @_;
    my $browser = IMS::Browser->open(
        token => $self->{jwt}->token($o{user} || 'mary'));

    is($browser->register(headers => $o{headers})->{code}, 200,
        ($o{user} || 'mary') . ' is registered');

    return $browser;
}

sub number { return 'sip:' . ($_[0] || '9197') . "\@$home" }

sub sdp_headers { return ('Content-Type' => 'application/sdp') }

# Mary calls; what she sent, and what the far end saw. headers: more of them

sub invite {
    my ($self, %o) = @_;
    my @sdp = $o{late} ? () : (body => web_sdp());
    my $sent = $self->{mary}->start('INVITE', to => number(), @sdp,
        headers => [ ($o{late} ? () : sdp_headers()), @{$o{headers} || []} ]);
    my $seen = $self->{far}->expect('INVITE');

    ok($seen, ($o{name} ? "$o{name}: " : '') . 'INVITE at the far end');

    return ($sent, $seen);
}

# A whole call, Mary's. headers: of the INVITE; answer: of the 200. In the
# result: web, far (the dialogs of either end), ok (200 as seen), seen.

sub call_up {
    my ($self, %o) = @_;
    my ($mary, $far) = @$self{qw/ mary far /};
    my ($sent, $seen) = $self->invite(%o);
    my $answer = $far->respond($seen, 200, 'OK', sdp => 1,
        headers => $o{answer} || [ Allow => 'INVITE, ACK, BYE, CANCEL, UPDATE' ]);
    my $ok = $mary->final('INVITE');
    my $web = $mary->dialog($sent, $ok, 1);

    $mary->within($web, 'ACK');
    ok($far->expect('ACK'), 'ACK at the far end');

    return { web => $web, ok => $ok, seen => $seen,
        far => $far->dialog($seen, $answer, 0) };
}

# The far end calls Mary. headers, answer as above.

sub call_down {
    my ($self, %o) = @_;
    my ($mary, $far) = @$self{qw/ mary far /};
    my $sent = $far->start('INVITE', to => $mary->{impu}, sdp => 1,
        headers => $o{headers});
    my $seen = $mary->expect('INVITE');

    ok($seen, 'INVITE at the browser');

    my $answer = $mary->reply($seen, 200, 'OK', headers => [
        Contact => $mary->contact(), sdp_headers(), @{$o{answer} || []} ],
        body => web_sdp(setup => 'active'));
    my $ok = $far->final('INVITE');
    my $dialog = $far->dialog($sent, $ok, 1);

    $far->within($dialog, 'ACK');
    ok($mary->expect('ACK'), 'ACK at the browser');

    return { far => $dialog, ok => $ok, seen => $seen,
        web => $mary->dialog($seen, $answer, 0) };
}

# One end hangs up; nothing is left.

sub hang_up {
    my ($self, $from, $call, $name) = @_;
    my ($mary, $far) = @$self{qw/ mary far /};
    my ($who, $dialog, $to) = $from eq 'mary' ? ($mary, $call->{web}, $far)
        : ($far, $call->{far}, $mary);

    $who->within($dialog, 'BYE');

    my $bye = $to->expect('BYE');

    $to->reply($bye, 200, 'OK');
    is($who->final('BYE')->{code}, 200, "$name: $from hangs up");
    $self->clean($name);
}

# Mary goes, and nothing is to be waited for when nginx ends.

sub done {
    my ($self) = @_;

    return unless $self->{mary}->is_open();

    is($self->{mary}->register(expires => 0)->{code}, 200, 'mary has left');
    $self->{mary}->close();
}

# Everything ends, for another to begin.

sub stop {
    my ($self) = @_;

    $self->{t}->stop();
    $self->{t}->stop_daemons();
    unlink $self->{t}->testdir() . '/ng.sock';
    $self->{core}->stop();
    $self->{far}->close();
}

# No dialog in the portal, no port in the helper.

sub clean {
    my ($self, $name) = @_;

    ok(IMS::Loop::wait_for(sub { !dialogs() && !ports() }, 3),
        "$name: nothing is left") or diag(dialogs() . ' dialogs, '
        . ports() . ' ports');
}

sub dialogs {
    my $r = IMS::Browser::api('GET', path => '/ims/status');

    return $r->{json}{pools}[0]{dialogs};
}

sub ports {
    open my $f, '<', '/proc/net/udp' or die "no list of sockets: $!\n";

    return scalar grep { /^\s*\d+: [0-9A-F]+:([0-9A-F]{4})/ && hex $1 >= $low
        && hex $1 <= $high } <$f>;
}

1;
