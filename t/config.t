#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Mistakes in the configuration: nginx -t fails, and says which directive.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Conf;
use IMS::JWT;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

# title, text in the good configuration, what stands there instead, what
# nginx -t must say

my @cases = (
    [ 'end of a token that is neither', 'ims_portal_plain_ws',
        'ims_portal_token_end later; ims_portal_plain_ws',
        qr/"ims_portal_token_end".* must be "finish"/ ],
    [ 'end of a token with a time', 'ims_portal_plain_ws',
        'ims_portal_token_end end 5s; ims_portal_plain_ws',
        qr/"ims_portal_token_end".* must be "finish"/ ],
    [ 'calls that never finish', 'ims_portal_plain_ws',
        'ims_portal_token_end finish 2d; ims_portal_plain_ws',
        qr/"ims_portal_token_end".* must have a time/ ],
    [ 'a long time for a fresh token', 'ims_portal_plain_ws',
        'ims_portal_token_grace 5m; ims_portal_plain_ws',
        qr/"ims_portal_token_grace".* must be a time up to 60s/ ],
    [ 'session timer below its minimum', 'ims_portal_plain_ws',
        'ims_portal_session_timer 60s; ims_portal_plain_ws',
        qr/"ims_portal_session_timer".* must be "off" or a time/ ],
    [ 'session timer with another parameter', 'ims_portal_plain_ws',
        'ims_portal_session_timer 30m max=1d; ims_portal_plain_ws',
        qr/invalid parameter "max=1d" in "ims_portal_session_timer"/ ],
    [ 'transfers of another kind', 'ims_portal_plain_ws',
        'ims_portal_refer maybe; ims_portal_plain_ws',
        qr/invalid value "maybe"/ ],
    [ 'access network that is none', 'visited_network corp.example;',
        'visited_network corp.example; access_network_info "a,b";',
        qr/"access_network_info".* invalid value/ ],
    [ 'access network that says np', 'visited_network corp.example;',
        'visited_network corp.example; access_network_info "DSL;np";',
        qr/"access_network_info".* without ";np"/ ],
    [ 'unknown core', 'core=operator', 'core=nobody',
        qr/unknown "?ims_portal_core"? "nobody"|"nobody".*ims_portal_pool/ ],
    [ 'pool without a core', ' core=operator', '',
        qr/ims_portal_pool/ ],
    [ 'pool without a zone', ' zone=acme:1m', '', qr/ims_portal_pool/ ],
    [ 'zone too small', 'zone=acme:1m', 'zone=acme:1k', qr/zone.*acme/ ],
    [ 'zone without a size', 'zone=acme:1m', 'zone=acme', qr/zone/ ],
    [ 'unknown pool', 'ims_portal acme;', 'ims_portal nobody;',
        qr/"nobody"/ ],
    [ 'unknown pool of the session API', 'ims_portal_session acme;',
        'ims_portal_session nobody;', qr/"nobody"/ ],
    [ 'core twice', 'ims_portal_pool acme',
        "ims_portal_core operator {\nserver 127.0.0.1:8990;\n}\n"
        . 'ims_portal_pool acme', qr/ims_portal_core|"operator"/ ],
    [ 'duplicate in a core', 'home_domain ims.operator.example;',
        'home_domain ims.operator.example; home_domain b.example;',
        qr/"home_domain" directive is duplicate/ ],
    [ 'duplicate in a location', 'ims_portal acme;',
        'ims_portal acme; ims_portal acme;',
        qr/"ims_portal" directive is duplicate/ ],
    [ 'unknown directive in a core', 'visited_network corp.example;',
        'visited_netwrok corp.example;', qr/"visited_netwrok"/ ],
    [ 'unknown directive in a pool', 'lease 12h;', 'leese 12h;',
        qr/"leese"/ ],
    [ 'range upside down', 'u[001-200]', 'u[200-001]', qr/identity/ ],
    [ 'range without an end', 'u[001-200]', 'u[001-]', qr/identity/ ],
    [ 'range of letters', 'u[001-200]', 'u[a-z]', qr/identity/ ],
    [ 'range not closed', 'u[001-200]', 'u[001-200', qr/identity/ ],
    [ 'number without a private identity', 'identity sip:u',
        'identity tel:+1555010[0-9]; identity sip:u',
        qr/"identity" "tel:\+1555010\[0-9\]" has no host/ ],
    [ 'private identity that would end its quotes',
        'impi=$user@ims.operator.example', "'impi=a\"b\@c'",
        qr/invalid impi .* in "identity"/ ],
    [ 'private identity of a line', 'identity sip:u',
        "register_block sip:main\@a.example 'impi=a\"b\@c'; identity sip:u",
        qr/"register_block".* needs "impi"/ ],
    [ 'host that is none', '127.0.0.1:%%PORT_8980_UDP%% udp',
        '127.0.0.1:%%PORT_8980_UDP%% udp "host=a b"',
        qr/"listen" directive has an invalid "host"/ ],
    [ 'identity without a scheme', 'identity sip:u', 'identity u',
        qr/identity/ ],
    [ 'bad listen address', '127.0.0.1:%%PORT_8980_UDP%% udp',
        'nowhere:port udp', qr/listen/ ],
    [ 'bad listen port', '127.0.0.1:%%PORT_8980_UDP%% udp',
        '127.0.0.1:99999 udp', qr/listen/ ],
    [ 'bad server address', 'server 127.0.0.1:%%PORT_8981_UDP%%',
        'server 127.0.0.1:99999', qr/server/ ],
    [ 'server with a bad address', 'server 127.0.0.1:%%PORT_8981_UDP%%',
        'server 127.0.0.300', qr/in "server" "127.0.0.300"/ ],
    [ 'server name without a resolver', 'server 127.0.0.1:%%PORT_8981_UDP%%',
        'server core.example', qr/"server" of .* needs a "resolver"/ ],
    [ 'server weight of nothing', 'server 127.0.0.1:%%PORT_8981_UDP%%',
        'server 127.0.0.1 weight=0', qr/"weight=0" in "server"/ ],
    [ 'server transport', 'server 127.0.0.1:%%PORT_8981_UDP%%',
        'server 127.0.0.1 transport=sctp', qr/"transport=sctp" in "server"/ ],
    [ 'timeout of nothing', 'visited_network corp.example;',
        'visited_network corp.example; timeout 1ms;',
        qr/invalid time "1ms" in "timeout"/ ],
    [ 'timeout twice', 'visited_network corp.example;',
        'visited_network corp.example; timeout 1s; timeout 2s;',
        qr/"timeout" directive is duplicate/ ],
    [ 'probe without a time', 'visited_network corp.example;',
        'visited_network corp.example; probe on;',
        qr/invalid parameter "on" in "probe"/ ],
    [ 'probe with a bad parameter', 'visited_network corp.example;',
        'visited_network corp.example; probe 5s fails=0;',
        qr/invalid parameter "fails=0" in "probe"/ ],
    [ 'no server', 'server 127.0.0.1:%%PORT_8981_UDP%%;', '',
        qr/ims_portal_core|server/ ],
    [ 'bad register mode', 'register trusted flag=auth-done',
        'register blindly', qr/register/ ],
    [ 'bad lease', 'lease 12h', 'lease soon', qr/lease/ ],
    [ 'no lease', 'lease 12h', 'lease 0',
        qr/"lease" directive has an invalid time/ ],
    [ 'missing key file', 'login.jwks', 'nothing.jwks',
        qr/ims_portal_jwt_key|nothing\.jwks/ ],
    [ 'key file that holds no keys', 'login.jwks', 'bad.jwks',
        qr/ims_portal_jwt_key|bad\.jwks/ ],
    [ 'secret too short for HS256', 'login.jwks', 'weak.jwks',
        qr/ims_portal_jwt_key|weak\.jwks/ ],
    [ 'bad kind of key', 'key file=', 'key fiel=', qr/ims_portal_jwt_key/ ],
    [ 'bad auth', 'auth handshake', 'auth never',
        qr/ims_portal_auth/ ],
    [ 'bad flag', 'plain_ws on', 'plain_ws maybe', qr/ims_portal_plain_ws/ ],
    [ 'bad ping', 'ims_portal_plain_ws on;',
        'ims_portal_plain_ws on; ims_portal_ping often;',
        qr/ims_portal_ping/ ],
    [ 'no time for a registration', 'ims_portal_plain_ws on;',
        'ims_portal_plain_ws on; ims_portal_handshake_timeout 0;',
        qr/ims_portal_handshake_timeout/ ],
    [ 'key file of something else', 'login.jwks', 'garbage.jwks',
        qr/garbage\.jwks.*neither a JWK nor PEM/ ],
    [ 'bad message size', 'ims_portal_plain_ws on;',
        'ims_portal_plain_ws on; ims_portal_message_size big;',
        qr/ims_portal_message_size/ ],
    [ 'bad origin', 'ims_portal_origin any;',
        'ims_portal_origin "https://a.example/path";',
        qr/ims_portal_origin/ ],
    [ 'media by neither unix, udp nor tcp', 'server {',
        "ims_portal_media sctp:127.0.0.1:8990;\nserver {",
        qr/ims_portal_media/ ],
    [ 'consent that is no time', 'server {',
        "ims_portal_media_consent never;\nserver {",
        qr/"ims_portal_media_consent" must be "off" or not more than 10m/ ],
    [ 'consent for too long', 'server {',
        "ims_portal_media_consent 601s;\nserver {",
        qr/"ims_portal_media_consent" must be "off" or not more than 10m/ ],
    [ 'consent twice', 'server {', "ims_portal_media_consent off;\n"
        . "ims_portal_media_consent 5s;\nserver {",
        qr/"ims_portal_media_consent" directive is duplicate/ ],
    [ 'SRTP, or what', 'server {', "ims_portal_media_srtp may;\nserver {",
        qr/invalid value "may"/ ],
    [ 'media given up too soon', 'server {',
        "ims_portal_media_lost 99ms;\nserver {", qr/ims_portal_media_lost/ ],
    [ 'media given up too late', 'server {',
        "ims_portal_media_lost 61s;\nserver {", qr/ims_portal_media_lost/ ],
    [ 'core outside of http', 'events {',
        "ims_portal_core lost {\n}\nevents {", qr/ims_portal_core/ ],
);

my $t = Test::Nginx->new()->has(qw/ http /)->plan(2 + @cases);

IMS::JWT->new($t);

$t->write_file('garbage.jwks', "what is this\n");
$t->write_file('bad.jwks', '{"keys": 5}');
$t->write_file('weak.jwks', '{"keys":[{"kty":"oct","alg":"HS256","kid":"w",'
    . '"k":"c2hvcnQ"}]}');
$t->write_file_expand('nginx.conf', ims_conf());

like(ims_check($t, 'nginx.conf'), qr/test is successful/, 'good');

for my $case (@cases) {
    my ($title, $from, $to, $says) = @$case;

    my $conf = ims_conf();
    $conf =~ s/\Q$from\E/$to/ or die "no \"$from\" in the configuration";
    $t->write_file_expand('case.conf', $conf);

    my $said = ims_check($t, 'case.conf');
    my ($emerg) = $said =~ /^(.*\[emerg\].*)$/m;

    like($said =~ /test failed/ ? $emerg : "passed\n$said", $says, $title);
}

$t->run();

like(http_get('/'), qr/ 40[34] /, 'runs');
