package Bench;

# Copyright (C) the IMS portal authors

# What the measuring scripts have in common: processes that end with the
# script, their CPU time, the load tool, an nginx with the module.

use warnings;
use strict;

use base qw/ Exporter /;

use Cwd ();
use File::Basename ();
use IO::Socket::INET;
use IPC::Open2;
use MIME::Base64 qw/ encode_base64 /;
use POSIX ();
use Time::HiRes qw/ sleep /;

our @EXPORT = qw/ start stop file complain worker children cpu order load
    nginx portal_conf unprivileged make memory status /;

our $ROOT = Cwd::abs_path(File::Basename::dirname(__FILE__) . '/..');
our $NGINX = $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx';
our $BUILD = $ENV{BUILD} || "$ROOT/build";
our $BIN = "$BUILD/bench";
our ($ADDR, $PLAIN, $TLS, $EDGE, $CORE) = ('127.0.0.1', 18080, 18443, 15070,
    15060);

my ($main, %pids) = ($$);

local $SIG{INT} = local $SIG{TERM} = sub { exit 1 };

# nothing stays behind, whatever happened

END { my $rc = $?; stop(keys %pids) if $$ == $main; $? = $rc }

sub make {
    system('make', '-s', '-C', "$ROOT/bench", "OUT=$BIN",
        "NGINX_OBJ=$BUILD/nginx") == 0 or exit 1;
}

# the script again, alone with the loopback interface and as nobody

sub unprivileged {
    my ($limit, $script, @args) = @_;
    my ($uid, $gid) = (getpwnam($ENV{BENCH_USER} || 'nobody'))[2, 3];

    make();

    exec('unshare', '-n', 'sh', '-c', "ulimit -n $limit; ip link set lo up "
        . '&& exec "$@"', 'sh', 'setpriv', "--reuid=$uid", "--regid=$gid",
        '--clear-groups', $^X, $script, @args) or die "unshare: $!\n";
}

# processes

sub start {
    my (@command) = @_;

    my $pid = fork();
    defined $pid or die "fork: $!\n";

    $pids{$pid} = 1 if $pid;
    return $pid if $pid;

    exec @command or POSIX::_exit(127);
}

sub stop {
    for my $pid (@_) {
        kill 'TERM', $pid;
        waitpid $pid, 0;
        delete $pids{$pid};
    }
}

sub children {
    my ($pid) = @_;

    open my $fh, '<', "/proc/$pid/task/$pid/children"
        or die "no list of children: $!\n";

    return split ' ', (readline $fh || '');
}

sub worker { return (children(@_))[0] }

# of these processes, seconds

sub cpu {
    my $sum = 0;

    for my $pid (@_) {
        open my $fh, '<', "/proc/$pid/schedstat" or die "no schedstat: $!\n";
        $sum += (split ' ', <$fh>)[0] / 1e9;
    }

    return $sum;
}

# bytes of a process

sub memory {
    my ($pid) = @_;
    my %m;

    open my $fh, '<', "/proc/$pid/smaps_rollup"
        or die "no smaps_rollup: $!\n";

    while (my $line = <$fh>) {
        $m{$1} = $2 * 1024 if $line =~ /^(Private_Dirty|Pss):\s+(\d+) kB/;
    }

    return \%m;
}

# the numbers of the pool in the status

sub status {
    my $s = IO::Socket::INET->new("$ADDR:$PLAIN") or die "no status: $!\n";

    print $s "GET /ims/status HTTP/1.0\r\n\r\n";
    local $/;
    my $json = readline $s;

    my ($pool) = $json =~ /"pools":\[\{(.*?)\}/ or die "no status\n";

    return { $pool =~ /"(\w+)":(\d+)/g };
}

sub file {
    my ($name, $text) = @_;

    open my $fh, '>', $name or die "can't write $name: $!\n";
    print $fh $text;
    close $fh;
}

# what nginx had to say

sub complain {
    my ($dir) = @_;

    open my $fh, '<', "$dir/error.log" or return;
    my @lines = <$fh>;
    print STDERR @lines[0 .. (@lines > 10 ? 9 : $#lines)];
}

# the browsers; window: requests under way at most

sub load {
    my ($kind, $window) = @_;

    my $pid = open2(my $out, my $in, "$BIN/browsers", $ADDR, $PLAIN, $TLS,
        $kind, $window);
    $pids{$pid} = 1;

    return { pid => $pid, in => $in, out => $out };
}

# one command to them; seconds, and p50, p99 in ms

sub order {
    my ($load, $command) = @_;

    syswrite $load->{in}, "$command\n";
    my $line = readline $load->{out};

    defined $line && $line =~ /^done/ or die "\"$command\" failed\n";

    return (split ' ', $line)[2 .. 4];
}

# an nginx of one worker with this in its http{}

sub nginx {
    my ($dir, $connections, $http) = @_;

    file("$dir/nginx.conf", <<"EOC");
load_module $BUILD/ngx_ims_portal_module.so;
daemon off;
worker_processes 1;
pid $dir/nginx.pid;
error_log $dir/error.log warn;

events {
    worker_connections $connections;
}

http {
    access_log off;
    keepalive_timeout 300s;
    client_body_temp_path $dir/client;
    proxy_temp_path $dir/proxy;
    fastcgi_temp_path $dir/fastcgi;
    uwsgi_temp_path $dir/uwsgi;
    scgi_temp_path $dir/scgi;

$http
}
EOC

    my $pid = start($NGINX, '-p', $dir, '-c', "$dir/nginx.conf", '-e',
        "$dir/error.log");

    for (1 .. 100) {
        return $pid if IO::Socket::INET->new("$ADDR:$PLAIN");
        sleep 0.05;
    }

    complain($dir);
    die "nginx does not start\n";
}

# a portal for so many identities; zone: its size in MiB

sub portal_conf {
    my ($dir, $identities, $zone) = @_;
    my $jwks = encode_base64('a secret of thirty-two bytes ...', '');

    $jwks =~ tr!+/=!-_!d;

    file("$dir/login.jwks", '{"keys":[{"kty":"oct","alg":"HS256",'
        . "\"kid\":\"bench\",\"k\":\"$jwks\"}]}");
    chmod 0600, "$dir/login.jwks";
    system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
        . "-nodes -subj /CN=localhost -keyout $dir/key.pem -out $dir/crt.pem "
        . "2> $dir/openssl.log") == 0 or die "openssl req failed\n";

    return <<"EOC";
    ims_portal_core operator {
        listen $ADDR:$EDGE;
        server $ADDR:$CORE;
        home_domain ims.operator.example;
    }

    ims_portal_pool acme zone=acme:${zone}m core=operator {
        identity sip:u[00001-@{[ sprintf '%05u', $identities
            ]}]\@acme.ims.operator.example;
    }

    # all browsers have one address here, and each does the work of many: the
    # limits are looked at, and never reached

    # the table's pages are shared, but would count as the only worker's own

    ims_portal_limit_zone 256k;
    ims_portal_limit_sockets address=0 user=0 unverified=0;
    ims_portal_limit_handshakes address rate=1000000r/s burst=1000000;
    ims_portal_limit_handshakes user rate=1000000r/s burst=1000000;
    ims_portal_limit_messages rate=1000000r/s burst=1000000;
    ims_portal_limit_registers rate=1000000r/s burst=1000000;
    ims_portal_limit_invites rate=1000000r/s burst=1000000;
    ims_portal_limit_frames rate=1000000r/s burst=1000000;

    server {
        listen $ADDR:$PLAIN;
        listen $ADDR:$TLS ssl;

        ssl_certificate $dir/crt.pem;
        ssl_certificate_key $dir/key.pem;

        ims_portal_jwt \$cookie_ims_session;
        ims_portal_jwt_key file=$dir/login.jwks;
        ims_portal_jwt_issuer https://login.acme.example;
        ims_portal_jwt_audience ims-portal;
        ims_portal_origin https://acme.example;
        ims_portal_plain_ws on;

        # all browsers come from one address
        ims_portal_limit_sockets address=0;

        location = /ims/sip { ims_portal acme; }
        location = /ims/session { ims_portal_session acme; }
        location = /ims/status { ims_portal_status; }
        location = /idle { return 204; }
    }
EOC
}

1;
