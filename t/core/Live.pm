package Live;

# Copyright (C) the IMS portal authors

# Browsers on the real core that come and go, and the question that matters:
# which of their bindings does the S-CSCF have?

use warnings;
use strict;

use Edge;
use IMS::Browser;
use IMS::Conf;
use IMS::JWT;
use IMS::Loop;
use Socket qw/ SOL_SOCKET SO_LINGER /;
use Test::More;
use Test::Nginx qw/ port /;

use constant SO_ATTACH_FILTER => 26;

my $home = 'ims.operator.example';

# $t is the Test::Nginx, which is started, or nginx, an IMS::Daemon; %conf are
# parts of the configuration

sub new {
    my ($class, $t, %conf) = @_;
    my $self = bless { t => $t, jwt => IMS::JWT->new($t),
        nginx => delete $conf{nginx} }, $class;

    $self->{core} = Edge->new(EDGE => '127.0.0.1:' . port(8980, udp => 1));
    $self->configure(%conf);
    $self->{nginx} ? is($self->{nginx}->start(), '', 'started') : $t->run();

    return $self;
}

sub configure {
    my ($self, %conf) = @_;

    my $text = ims_conf(workers => 2,
        identity => "sip:u[001-020]\@acme.$home impi=acme-pool-1\@$home",
        server_ims => "$self->{core}{uri}:$self->{core}{port}",
        http => 'log_format pid "$pid $uri $status";',
        sip => 'access_log %%TESTDIR%%/pid.log pid;', %conf);

    $text = $self->{nginx}->conf($text) if $self->{nginx};
    $self->{t}->write_file_expand('nginx.conf', $text);
}

# A browser that is registered; what the core has of it: contact. instance,
# host: those of the one before.

sub open {
    my ($self, $user, %o) = @_;
    my $b = IMS::Browser->open(token => $self->{jwt}->token($user), %o);

    $b->{user} = $user;
    $b->{code} = $b->register()->{code};
    $b->{worker} = $self->last_worker();
    is($b->{code}, 200, "$user is registered") if $b->{code} != 200;

    return $b;
}

# the same one, back with another socket; elsewhere => 1: at another worker

sub again {
    my ($self, $was, %o) = @_;

    for my $try (1 .. 40) {
        my $b = IMS::Browser->open(instance => $was->{instance},
            token => $self->{jwt}->token($was->{user}), host => $was->{host});

        $b->{worker} = $self->last_worker();

        if ($o{elsewhere} && $b->{worker} == $was->{worker} && $try < 40) {
            $b->drop();
            next;
        }

        @$b{qw/ user code /} = ($was->{user}, $b->register()->{code});
        is($b->{code}, 200, "$was->{user} is registered again")
            if $b->{code} != 200;

        return $b;
    }
}

# the same, once that is possible: with what is known of him

sub soon {
    my ($self, $was) = @_;
    my $b;

    IMS::Loop::wait_for(sub { $b = eval { $self->again($was) } }, 5)
        or die "not back: $@\n";
    $b->{contact_at_core} = $was->{contact_at_core};

    return $b;
}

# who did the last handshake

sub last_worker {
    my ($self) = @_;

    return IMS::Loop::wait_for(sub {
        ($self->{t}->read_file('pid.log') || '')
            =~ m!(\d+) /ims/sip 101\n$! ? $1 : 0;
    }, 1);
}

sub workers {
    my ($master) = @_;

    return split ' ', `ps -o pid= --ppid $master`;
}

# ways to go

# the process was killed: RST

sub crash {
    my ($b) = @_;

    setsockopt $b->{sock}, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0)
        or die "no SO_LINGER: $!\n";
    $b->drop();
}

# Nothing arrives any more, not even at the TCP of the host, and nothing is
# sent. The socket stays in the result, for as long as the cable is out. Where
# the kernel lets nobody filter, TCP alone goes on, and that is said.

sub unplug {
    my ($b) = @_;
    my $code = pack 'SCCL', 6, 0, 0, 0;

    setsockopt $b->{sock}, SOL_SOCKET, SO_ATTACH_FILTER,
        pack('Sx![P]P', 1, $code) or diag("SO_ATTACH_FILTER: $!");
    IMS::Loop::del($b);

    return delete $b->{sock};
}

# the process is stopped: TCP goes on

sub freeze {
    my ($b) = @_;

    IMS::Loop::del($b);

    return delete $b->{sock};
}

# what the core has: user part of the IMPU => list of its contacts

sub contacts {
    my ($self) = @_;
    my $core = $self->{core};
    my @list = $core->core('contacts');
    my %of;

    if ($?) {
        my @log = $core->core('log');

        diag($_) for splice @log, @log > 40 ? -40 : 0;
        BAIL_OUT('the core is gone');
    }

    for (@list) {
        my ($impu, $contact) = split;
        push @{$of{$impu}}, $contact;
    }

    return \%of;
}

# remembers what the core has of these, each of them one

sub known {
    my ($self, $name, @browsers) = @_;
    my $of = $self->contacts();

    for my $b (@browsers) {
        my @list = @{$of->{$b->{impu}} || []};
        is(scalar @list, 1, "$name: $b->{user} is in the list");
        $b->{contact_at_core} = $list[0];
    }
}

sub contact_of { return $_[0]->{contact_at_core} }

# The core has exactly these, browsers or contacts, now or within some seconds.

sub holds {
    my ($self, $name, $seconds, @live) = @_;
    my @want = sort map { ref $_ ? contact_of($_) // 'unknown' : $_ } @live;
    my @have;

    IMS::Loop::wait_for(sub {
        @have = sort map { @$_ } values %{$self->contacts()};
        return "@have" eq "@want";
    }, $seconds);

    return is("@have", "@want", $name);
}

# Each is there for a caller.

sub reached {
    my ($self, $name, @browsers) = @_;
    my ($core, $n) = ($self->{core}, 0);
    my $farend = $core->{farend};

    for my $b (@browsers) {
        my $text = "hello $b->{user} " . ++$self->{texts};

        $core->send_to_core($farend, $core->request($farend, 'MESSAGE',
            $b->{impu}, From => "<sip:alice\@$home>;tag=" . $self->{texts},
            To => "<$b->{impu}>", 'Content-Type' => 'text/plain',
            _body => $text));

        my $r = $b->expect('MESSAGE', 3);

        next unless $r && $r->{body} eq $text;
        $b->reply($r, 200, 'OK');
        $n++ if Edge::status(Edge::receive($farend,
            qr/^SIP\/2.0 [2-6]/)) eq '200';
    }

    return is($n, scalar @browsers, $name);
}

1;
