package Test::Nginx;

# Copyright (C) the IMS portal authors

# A compact implementation, written from the documented interface, of the
# library of the same name that nginx's own test suite (nginx-tests) uses. It
# is not the Test::Nginx of CPAN. Only what the tests of this project need is
# here. It gives way to the genuine one: with TEST_NGINX_LIB naming the folder
# that holds the genuine Test/Nginx.pm, every test loads that instead.
#
# Each test starts an nginx of its own in a temporary folder. Two checks are
# added to the plan of every test: no alert in the error log, and no report of
# a sanitizer on it.
#
#   TEST_NGINX_BINARY        nginx to test, /usr/sbin/nginx by default
#   TEST_NGINX_MODULES       folder with nginx's own dynamic modules; those
#                            that a test asks for by has() are loaded from it
#   TEST_NGINX_GLOBALS       more directives for the main context
#   TEST_NGINX_GLOBALS_HTTP  more directives for the http context
#   TEST_NGINX_VERBOSE       print requests and responses (prove -v)
#   TEST_NGINX_LEAVE         leave the temporary folder
#   TEST_NGINX_CATLOG        print the error log at the end
#   TEST_NGINX_UNSAFE        run tests that may disturb the machine

use warnings;
use strict;

use base qw/ Exporter /;

use File::Path ();
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use POSIX qw/ WNOHANG /;
use Scalar::Util qw/ weaken /;
use Socket qw/ CRLF /;
use Test::More ();
use Time::HiRes qw/ sleep time /;

our @EXPORT = qw/ log_in log_out http http_get http_head port /;
our @EXPORT_OK = qw/ http_start http_end log_core /;

our $TODO;
our $NGINX = $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx';

# how nginx -V tells of a module that is there unless asked away
my %BUILTIN = (
    http => '--without-http(\s|$)',
    proxy => '--without-http_proxy_module',
);

# and one that is there only when asked for
my %OPTIONAL = (
    http_ssl => 'http_ssl_module',
    realip => 'http_realip_module',
    stub_status => 'http_stub_status_module',
    debug => 'debug',
    mail => 'mail',
    stream => 'stream',
);

my %SHARED = ( mail => 'ngx_mail_module.so', stream => 'ngx_stream_module.so' );

my %ports;
my $current;

sub new {
    my $class = shift;

    Test::More::BAIL_OUT("no $NGINX binary found") unless -x $NGINX;

    my $dir = File::Temp::tempdir('nginx-test-XXXXXXXXXX', TMPDIR => 1);
    chmod 0755, $dir;

    my $self = bless {
        testdir => $dir, owner => $$, alerts => 1,
        daemons => [], modules => [], started => 0,
    }, $class;

    weaken($current = $self);
    return $self;
}

sub finish {
    my ($self) = @_;
    local ($?, $!);

    return if $self->{owner} != $$ || $self->{finished}++;

    $self->stop();
    $self->stop_daemons();
    $self->check_log() if $self->{planned};

    if ($ENV{TEST_NGINX_CATLOG} && -e "$self->{testdir}/error.log") {
        log_core($_, 'error.log') for $self->read_file('error.log');
    }

    if ($ENV{TEST_NGINX_LEAVE}) {
        Test::More::diag("left: $self->{testdir}");
    } else {
        File::Path::remove_tree($self->{testdir}, { safe => 0 });
    }
}

sub DESTROY { $_[0]->finish() }

sub check_log {
    my ($self) = @_;

    my $log = $self->read_file('error.log');
    my @lines = split /\n/, defined $log ? $log : '';
    my @alerts = grep { /\[alert\]/ } @lines;
    my @reports = grep { /\w+Sanitizer|runtime error:/ } @lines;

    local $TODO = $self->{alerts} ? undef : 'alerts';

    Test::More::is(join("\n", @alerts), '', 'no alerts');

    local $TODO;

    Test::More::is(join("\n", @reports), '', 'no sanitizer errors');
}

# what this nginx can do; a test that needs more is skipped

sub has {
    my ($self, @features) = @_;

    for my $name (@features) {
        Test::More::plan(skip_all => "no $name available")
            unless $self->has_module($name);

        push @{$self->{modules}}, $name;
    }

    return $self;
}

sub has_module {
    my ($self, $name) = @_;

    $self->{version} = `$NGINX -V 2>&1` unless defined $self->{version};

    return $self->{version} !~ /$BUILTIN{$name}/ if $BUILTIN{$name};

    my $option = $OPTIONAL{$name} || $name;

    return $self->{version} =~ /--with-$option(=dynamic)?(\s|$)/;
}

sub has_daemon {
    my ($self, $daemon) = @_;

    for my $dir (split /:/, $ENV{PATH} || '') {
        return $self if -x "$dir/$daemon";
    }

    Test::More::plan(skip_all => "no $daemon found");
}

sub plan {
    my ($self, $count) = @_;

    Test::More::plan(tests => $count + 2);
    $self->{planned} = 1;
    return $self;
}

sub todo_alerts {
    $_[0]->{alerts} = 0;
    return $_[0];
}

# nginx itself

sub run {
    my ($self) = @_;
    my $dir = $self->{testdir};

    my $pid = fork();
    die "can't fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        my @g = $self->{globals} ? ()
            : ('-g', "pid $dir/nginx.pid; "
                . "error_log $dir/error.log debug;");
        exec $NGINX, '-p', "$dir/", '-c', 'nginx.conf',
            '-e', 'error.log', @g or POSIX::_exit(1);
    }

    $self->waitforfile("$dir/nginx.pid", $pid)
        or die "can't start nginx\n";

    $self->{master} = $pid;
    $self->{started} = 1;
    return $self;
}

sub try_run {
    my ($self, $message) = @_;

    open my $stderr, '>&', \*STDERR or die "can't dup stderr: $!\n";
    close STDERR;

    my $ok = eval { $self->run(); 1 };

    open STDERR, '>&', $stderr or die "can't restore stderr: $!\n";

    if (!$ok) {
        delete $self->{planned};
        Test::More::plan(skip_all => $message);
    }

    return $self;
}

sub reload {
    kill 'HUP', $_[0]->{master} if $_[0]->{started};
    return $_[0];
}

sub stop {
    my ($self) = @_;

    return $self unless $self->{started};

    kill 'QUIT', $self->{master};

    if (!reap($self->{master}, 90)) {
        kill 'TERM', $self->{master};
        waitpid $self->{master}, 0;
    }

    $self->{started} = 0;
    return $self;
}

sub dump_config {
    my ($self) = @_;

    return `$NGINX -T -p $self->{testdir}/ -c nginx.conf -e error.log 2>&1`;
}

# processes beside it

sub run_daemon {
    my ($self, $what, @args) = @_;

    my $pid = fork();
    die "can't fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        if (ref $what eq 'CODE') {
            $what->(@args);
            POSIX::_exit(0);
        }

        exec $what, @args or POSIX::_exit(1);
    }

    push @{$self->{daemons}}, $pid;
    return $self;
}

sub stop_daemons {
    my ($self) = @_;

    while (my $pid = shift @{$self->{daemons}}) {
        kill 'TERM', $pid;
        next if reap($pid, 5);
        kill 'KILL', $pid;
        waitpid $pid, 0;
    }

    return $self;
}

sub reap {
    my ($pid, $seconds) = @_;
    my $until = time() + $seconds;

    while (time() < $until) {
        return 1 if waitpid($pid, WNOHANG) != 0;
        sleep 0.02;
    }

    return 0;
}

sub waitforfile {
    my ($self, $file, $pid) = @_;

    for (1 .. 500 * ($ENV{TEST_IMS_SLOW} || 1)) {
        return 1 if -s $file || (-e $file && !defined $pid);
        return 0 if defined $pid && waitpid($pid, WNOHANG) != 0;
        sleep 0.02;
    }

    return undef;
}

sub waitforsocket {
    my ($self, $peer) = @_;

    for (1 .. 500) {
        return 1 if IO::Socket::INET->new(Proto => 'tcp',
            PeerAddr => $peer);
        sleep 0.02;
    }

    return undef;
}

# A port for this test: the number asked for, or a near one when it is taken.
# Several test files run side by side, so the port is held by a socket of the
# other protocol for as long as the test lives.

sub port {
    my ($want, %o) = @_;

    my $held = $ports{$want} ||= take_port($want, $o{udp});

    return $o{socket} ? $held->[1] : $held->[0];
}

sub take_port {
    my ($want, $udp) = @_;
    my $try = $want;

    for (1 .. 20) {
        my %tcp = (Proto => 'tcp', Listen => 1, ReuseAddr => 1);
        my %udp = (Proto => 'udp');
        my %at = (LocalAddr => "127.0.0.1:$try");

        my $lock = IO::Socket::INET->new(%at, $udp ? %tcp : %udp);
        my $probe = $lock
            && IO::Socket::INET->new(%at, $udp ? %udp : %tcp);

        return [ $try, $lock ] if $probe;

        $try = $want - $want % 500 + int rand 500;
    }

    die "no free port near $want\n";
}

# files of the test

sub testdir { return $_[0]->{testdir} }

sub read_file {
    my ($self, $name) = @_;

    open my $fh, '<', "$self->{testdir}/$name" or return undef;
    binmode $fh;
    local $/;
    return scalar <$fh>;
}

sub write_file {
    my ($self, $name, $content) = @_;

    open my $fh, '>', "$self->{testdir}/$name"
        or die "can't create $name: $!\n";
    binmode $fh;
    print $fh $content;
    close $fh or die "can't write $name: $!\n";
    return $self;
}

sub write_file_expand {
    my ($self, $name, $content) = @_;

    for ($content) {
        s/%%TEST_GLOBALS%%/$self->test_globals()/ge;
        s/%%TEST_GLOBALS_HTTP%%/$self->test_globals_http()/ge;
        s/%%TESTDIR%%/$self->{testdir}/g;
        s/127\.0\.0\.1:(8\d{3})\b/'127.0.0.1:' . port($1)/ge;
        s/%%PORT_(\d+)%%/port($1)/ge;
        s/%%PORT_(\d+)_UDP%%/port($1, udp => 1)/ge;
    }

    return $self->write_file($name, $content);
}

sub test_globals {
    my ($self) = @_;

    return $self->{globals} if defined $self->{globals};

    my $s = "pid $self->{testdir}/nginx.pid;\n"
        . "error_log $self->{testdir}/error.log debug;\n";

    # started by root, workers would lose the folder and the sockets in it
    $s .= 'user root ' . getgrgid(0) . ";\n" if $> == 0;

    $s .= "$ENV{TEST_NGINX_GLOBALS}\n" if $ENV{TEST_NGINX_GLOBALS};

    for my $name (grep { $SHARED{$_} } @{$self->{modules}}) {
        my $dir = $ENV{TEST_NGINX_MODULES} || '/usr/lib/nginx/modules';
        $s .= "load_module $dir/$SHARED{$name};\n"
            if $self->{version} =~ /--with-$name=dynamic/;
    }

    return $self->{globals} = $s;
}

sub test_globals_http {
    my ($self) = @_;
    my $dir = $self->{testdir};

    my $s = "root $dir;\naccess_log $dir/access.log;\n";

    $s .= "${_}_temp_path $dir/${_}_temp;\n"
        for qw/ client_body proxy fastcgi uwsgi scgi /;

    $s .= "$ENV{TEST_NGINX_GLOBALS_HTTP}\n"
        if $ENV{TEST_NGINX_GLOBALS_HTTP};

    return $s;
}

# a plain HTTP client

sub http_get { return simple('GET', @_) }
sub http_head { return simple('HEAD', @_) }

sub simple {
    my ($method, $url, %extra) = @_;

    return http(join(CRLF, "$method $url HTTP/1.0", 'Host: localhost', '', ''),
        %extra);
}

sub http {
    my ($request, %extra) = @_;

    my $s = http_start($request, %extra);

    return $s if $extra{start} || !$s;
    return http_end($s);
}

sub http_start {
    my ($request, %extra) = @_;

    my $s = $extra{socket} || IO::Socket::INET->new(Proto => 'tcp',
        PeerAddr => '127.0.0.1:' . port(8080), Timeout => 8);
    return undef unless $s;

    log_out($request);

    local $SIG{PIPE} = 'IGNORE';
    $s->print($request);

    if ($extra{body}) {
        sleep $extra{sleep} if $extra{sleep};
        log_out($extra{body});
        $s->print($extra{body});
    }

    return $s;
}

sub http_end {
    my ($s) = @_;
    my $reply = '';
    my $until = time() + 8;
    my $ready = IO::Select->new($s);

    while ((my $left = $until - time()) > 0) {
        $ready->can_read($left) or last;
        sysread($s, $reply, 65536, length $reply) or last;
    }

    log_in($reply);
    return $reply;
}

# what was said, for prove -v with TEST_NGINX_VERBOSE

sub log_core {
    my ($text, $prefix) = @_;

    return unless $ENV{TEST_NGINX_VERBOSE} || $ENV{TEST_NGINX_CATLOG};

    $text =~ s/([^\x20-\x7e\x0a])/sprintf('\\x%02x', ord $1)/ge;
    $prefix = defined $prefix ? "$prefix: " : '';
    print "# $prefix$_\n" for split /\x0a/, $text;
}

sub log_out { log_core($_[0], '>>') }
sub log_in { log_core($_[0], '<<') }

# A test that died, or whose subs hold the object to the end. The two checks
# would come after the plan's end with the genuine library, so that they do not
# come here, either, and the plan is not met: such a test ends with undef $t.

END {
    if ($current) {
        delete $current->{planned};
        $current->finish();
    }
}

1;
