#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The examples are configurations that work, and README shows the minimal one.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Call qw/ call_up hang_up /;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::NG;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $root = "$FindBin::Bin/..";

sub slurp {
    my ($file) = @_;

    open my $fh, '<', "$root/$file" or die "can't open $file: $!\n";
    local $/;

    return scalar <$fh>;
}

# A configuration that can be loaded from here: "load_module" and "http" get
# what each test adds, the rest is replaced by pairs.

sub adapt {
    my ($text, @pairs) = @_;

    push @pairs, qr/^load_module .*;$/m => "%%TEST_GLOBALS%%\ndaemon off;",
        qr/^http \{$/m => "http {\n%%TEST_GLOBALS_HTTP%%";

    while (my ($from, $to) = splice @pairs, 0, 2) {
        $text =~ s/$from/$to/g or die "no $from in the example\n";
    }

    return $text;
}

my $t = Test::Nginx->new()->has(qw/ http http_ssl proxy /)->plan(14);

my $jwt = IMS::JWT->new($t);
my $minimal = slurp('conf-examples/minimal.conf');

# the text

my $lines = grep { !/^(?:#.*)?$/ } split /\n/, $minimal;

cmp_ok($lines, '<=', 20, 'minimal.conf has twenty lines');

my ($bare) = $minimal =~ /^(load_module .*)\z/ms;

like(slurp('README.md'), qr/^```nginx\n\Q$bare\E```$/m, 'README has it');

# the demonstration's, for http and for https

my $dir = $t->testdir();

$t->write_file('key.pem', '');
mkdir "$dir/login" or die "can't make login: $!\n";
mkdir "$dir/log" or die "can't make log: $!\n";
$t->write_file('login/keys.jwks', $t->read_file('login.jwks'));

system('openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
    . " -days 30 -subj /CN=acme.example -keyout $dir/key.pem"
    . " -out $dir/cert.pem >$dir/openssl.log 2>&1") == 0
    or die "can't make a certificate\n";

my @demo = (
    qr/^daemon .*;\n/m => '', qr/^pid .*;\n/m => '',
    qr/^error_log .*;\n/m => '', qr/^ +(?:\w+_temp_path|access_log) .*;\n/m
    => '', qr/ root +%DIR%\/site;\n/ => '', qr!%DIR%/nginx/! => "$dir/",
    qr/%DIR%/ => $dir,
    qr/%EDGE%/ => '127.0.0.1:%%PORT_8980_UDP%%',
    qr/%CORE%/ => '127.0.0.1:%%PORT_8981_UDP%%',
    qr/%ISSUER%/ => 'https://login.acme.example',
    qr/%AUDIENCE%/ => 'ims-portal', qr/%LEEWAY%/ => 30,
);

for my $case (
    [ 'http', 'listen 127.0.0.1:8080;', 'http://127.0.0.1:8080',
        'ims_portal_plain_ws on;' ],
    [ 'https', "listen 127.0.0.1:8080 ssl; ssl_certificate $dir/cert.pem; "
        . "ssl_certificate_key $dir/key.pem;", 'https://acme.example', '' ])
{
    my ($name, $listen, $origins, $plain) = @$case;

    $t->write_file_expand("$name.conf",
        adapt(slurp('conf-examples/demo/nginx.conf.in'), @demo,
            qr/%LISTEN%/ => $listen, qr/%ORIGINS%/ => $origins,
            qr/%PLAIN%/ => $plain));

    like(ims_check($t, "$name.conf"), qr/test is successful/, "demo, $name");
}

# As root the demonstration runs nginx as another user, who owns two folders.

my @written = slurp('conf-examples/demo/nginx.conf.in')
    =~ /^ *(?:pid|error_log|access_log|\w+_temp_path|store) +([^\s;]+)/mg;

is(join(' ', grep { !m!^%DIR%/(?:nginx|log)/! } @written), '',
    'demo, it writes where it may');

# an operator with TLS and challenges

$t->write_file('secrets', "* password \"of no importance\"\n");
chmod 0600, "$dir/secrets";

$t->write_file_expand('operator.conf', adapt(
    slurp('conf-examples/operator.conf'),
    qr/198\.51\.100\.20:5061/ => '127.0.0.1:%%PORT_8982%%',
    qr!/var/lib/nginx/! => "$dir/",
    qr!/etc/nginx/ims/secrets! => "$dir/secrets",
    qr!/etc/nginx/ims/operator-ca\.pem! => "$dir/cert.pem",
    qr!/etc/nginx/(?:ims/edge|acme)\.pem! => "$dir/cert.pem",
    qr!/etc/nginx/(?:ims/edge|acme)\.key! => "$dir/key.pem",
    qr!/etc/nginx/login\.jwks! => "$dir/login.jwks",
    qr/listen +443 ssl/ => 'listen 127.0.0.1:8080 ssl'));

like(ims_check($t, 'operator.conf'), qr/test is successful/, 'operator.conf');

# a login product and two hosts

$t->write_file($_, "of no importance, for once\n")
    for qw/ revoked redis.password turn.secret /;
$t->write_file('revoked', "# nobody\n");
chmod 0600, map { "$dir/$_" } qw/ redis.password turn.secret /;

$t->write_file_expand('login.conf', adapt(
    slurp('conf-examples/login.conf'),
    qr/198\.51\.100\.20:5060/ => '127.0.0.1:%%PORT_8980_UDP%%',
    qr!/var/(?:lib|cache)/nginx/! => "$dir/",
    qr!/etc/nginx/ims/! => "$dir/",
    qr!/etc/ssl/certs/ca-certificates\.crt! => "$dir/cert.pem",
    qr!https://login\.acme\.example/\.well! => 'https://127.0.0.1/.well',
    qr!/etc/nginx/acme\.pem! => "$dir/cert.pem",
    qr!/etc/nginx/acme\.key! => "$dir/key.pem",
    qr/listen +443 ssl/ => 'listen 127.0.0.1:8080 ssl'));

like(ims_check($t, 'login.conf'), qr/test is successful/, 'login.conf');

# the directives page has an example, too

my ($page) = slurp('docs/directives.md') =~ /```nginx\n(load_module .*?)```/s;

$page =~ s/^http/events { }\nhttp/m;

$t->write_file_expand('page.conf', adapt($page,
    qr/198\.51\.100\.20:5060/ => '127.0.0.1:%%PORT_8980_UDP%%',
    qr/10\.0\.0\.1(\d)/ => '127.0.0.1',
    qr!/etc/nginx/login\.jwks! => "$dir/login.jwks",
    qr/listen +443 ssl/ => 'listen 127.0.0.1:8080 ssl; '
        . "ssl_certificate $dir/cert.pem; ssl_certificate_key $dir/key.pem"));

like(ims_check($t, 'page.conf'), qr/test is successful/, 'directives.md');

# The minimal one is run; only, a short T1 lets its worker exit soon.

$t->write_file_expand('nginx.conf', adapt($minimal,
    qr/127\.0\.0\.1:5070/ => '127.0.0.1:%%PORT_8980_UDP%%',
    qr/127\.0\.0\.1:5060/ => '127.0.0.1:%%PORT_8981_UDP%%',
    qr!/etc/nginx/login\.jwks! => "$dir/login.jwks",
    qr!/run/ims-media\.sock! => "$dir/ng.sock",
    qr/^(?= +ims_portal_media)/m => "    ims_portal_timer_t1 25ms;\n"));

my $ng = IMS::NG->new("$dir/ng.sock");

$t->run();

my $core = IMS::Core->new()->registrar();
my $token = $jwt->token('mary');
my $r = IMS::Browser::api('POST', token => $token);

is($r->{status}, 201, 'identity leased');
like($r->{json}{websocket}, qr!^ws://localhost(?::\d+)?/ims/sip$!,
    'WebSocket told');

my $mary = IMS::Browser->open(token => $token);

is($mary->register()->{code}, 200, 'registered');

my $call = call_up($mary, $core);

is(scalar $ng->seen('offer'), 1, 'SDP offered to the helper');
hang_up($mary, $call->{web}, $core);
ok($ng->wait_for('delete'), 'and the call deleted');

$mary->close();
is(IMS::Browser::api('GET', token => $token)->{status}, 200, 'still leased');
