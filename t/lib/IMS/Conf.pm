package IMS::Conf;

# Copyright (C) the IMS portal authors

# The configuration that most tests start from, for Test::Nginx's
# write_file_expand(). Parts of it are replaced or added to by name.

use warnings;
use strict;

use base qw/ Exporter /;

use Cwd ();
use File::Basename ();
use IMS::Loop ();
use Test::Nginx ();

our @EXPORT = qw/ ims_conf ims_check ims_workers /;

# where "make" puts the module, unless TEST_NGINX_GLOBALS says otherwise

BEGIN {
    my $root = Cwd::abs_path(File::Basename::dirname(__FILE__) . '/../../..');

    $ENV{TEST_NGINX_GLOBALS} =
        "load_module $root/build/ngx_ims_portal_module.so;"
        unless defined $ENV{TEST_NGINX_GLOBALS};
}

my %DEFAULT = (
    workers => 1,
    shutdown => '1s',
    listen_ims => '127.0.0.1:%%PORT_8980_UDP%% udp',
    server_ims => '127.0.0.1:%%PORT_8981_UDP%%',
    register => 'trusted flag=auth-done',
    core => '',
    identity => 'sip:u[001-200]@acme.ims.operator.example '
        . 'impi=$user@ims.operator.example',
    lease => '12h',
    quarantine => '',
    pool => '',
    zone => '1m',
    media => '',
    media_lost => '20s',
    t1 => 25 * $IMS::Loop::SLOW . 'ms',
    grace => '500ms',
    listen => '127.0.0.1:8080',
    auth => 'handshake',
    jwt => '$cookie_ims_session $http_authorization',
    key => 'file=%%TESTDIR%%/login.jwks',
    issuer => 'https://login.acme.example',
    audience => 'ims-portal',
    origin => 'any',
    plain_ws => 'on',
    main => '',
    http => '',
    server => '',
    sip => '',
);

sub ims_conf {
    my (%o) = (%DEFAULT, @_);

    exists $DEFAULT{$_} or die "unknown part: $_\n" for keys %o;

    my $media = length $o{media} ? "ims_portal_media $o{media};\n"
        . "    ims_portal_media_lost $o{media_lost};" : '';
    my $lease = length $o{lease} ? "lease $o{lease};" : '';
    my $rest = length $o{quarantine} ? "quarantine $o{quarantine};" : '';
    my $origin = length $o{origin} ? "ims_portal_origin $o{origin};" : '';
    my $identity = join "\n        ", map { "identity $_;" }
        split /\s*;\s*/, $o{identity};

    return <<"EOC";

%%TEST_GLOBALS%%

daemon off;
worker_processes $o{workers};
worker_shutdown_timeout $o{shutdown};
$o{main}

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    ims_portal_core operator {
        listen $o{listen_ims};
        server $o{server_ims};
        home_domain ims.operator.example;
        visited_network corp.example;
        register $o{register};
        $o{core}
    }

    ims_portal_pool acme zone=acme:$o{zone} core=operator {
        $identity
        $lease
        $rest
        $o{pool}
    }

    $media
    ims_portal_timer_t1 $o{t1};
    $o{http}

    server {
        listen $o{listen};
        server_name localhost;

        ims_portal_auth $o{auth};
        ims_portal_jwt $o{jwt};
        ims_portal_jwt_key $o{key};
        ims_portal_jwt_issuer $o{issuer};
        ims_portal_jwt_audience $o{audience};
        ims_portal_plain_ws $o{plain_ws};
        ims_portal_grace $o{grace};
        $origin
        $o{server}

        location = /ims/sip {
            ims_portal acme;
            $o{sip}
        }

        location = /ims/session {
            ims_portal_session acme;
        }

        location = /ims/status {
            ims_portal_status;
        }
    }
}

EOC
}

# Runs nginx -t on a configuration; its words.

sub ims_check {
    my ($t, $name) = @_;

    my $dir = $t->testdir();
    my $nginx = $Test::Nginx::NGINX;

    my $said = `$nginx -t -p $dir/ -c $name -e test.log 2>&1`;

    # an empty one is left by -t, and looks like that of a running nginx

    unlink "$dir/nginx.pid" if -z "$dir/nginx.pid";

    return $said;
}

# the processes of nginx but the master, which is as its pid file says

sub ims_workers {
    my ($t) = @_;

    my $master = $t->read_file('nginx.pid') + 0;

    return split ' ', `ps -o pid= --ppid $master`;
}

1;
