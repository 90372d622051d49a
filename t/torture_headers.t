#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# Torture for the header fields that the portal rewrites: quotes, commas,
# folds, compact names, odd case, many values, both ways. The far side gets the
# rewritten ones exactly right and the rest as it was; the answer brings back
# what was sent; or there is a clear refusal.

use warnings;
use strict;

use FindBin;
use Test::More;

use lib $ENV{TEST_NGINX_LIB} || "$FindBin::Bin/lib", "$FindBin::Bin/lib";

use IMS::Browser;
use IMS::Conf;
use IMS::Core;
use IMS::JWT;
use IMS::Loop;
use IMS::SIP;
use Test::Nginx;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /);
my $jwt = IMS::JWT->new($t);

$t->write_file_expand('nginx.conf', ims_conf());

my ($core, $mary, $impu, $own, $serial);

# lines that nobody may touch

my @kept = ("X-One:  a ,b;;\"", "sUBJECT\t:\r\n\tfolded,\r\n  twice",
    "X-Utf8: \xc3\xa4\xe2\x98\x8e", 'User-Agent: %00 "<>\\');

my $routes = join ', ', map { "<sip:r$_\@example.org;lr;x=\",\"\@y>" } 1 .. 98;
$routes =~ s/;x=","\@y//g;

my $forged = '"a, \\"b\\" <sip:no@example.org>;tag=no"';

# from the browser: title, method, lines instead of the usual ones or added,
# what the core sees in a header field ("": nothing; a pattern)

my @up = (
    [ 'From: quotes, commas, brackets', 'MESSAGE',
        { From => sub { "From: $forged <$impu>;tag=q1" } },
        { From => sub { "<$impu>;tag=q1" } } ],
    [ 'From: compact, folded', 'MESSAGE',
        { From => sub { "f:\r\n \"x\"\r\n\t<$impu>\r\n ; tag \r\n = q2" } },
        { From => sub { "<$impu>;tag=q2" } } ],
    [ 'From: tags in quotes', 'MESSAGE',
        { From => sub { "fROM :<$impu>;x=\";tag=no\";TAG=q3;y=\"tag=no\"" } },
        { From => sub { "<$impu>;tag=q3" } } ],
    [ 'From: no brackets', 'MESSAGE',
        { From => sub { "From: $impu;tag=q4;x=y" } },
        { From => sub { "<$impu>;tag=q4" } } ],
    [ 'From: UTF-8 and tokens', 'MESSAGE',
        { From => sub { "From: M\xc3\xa4ry O'x  y <$impu>;tag=q5" } },
        { From => sub { "<$impu>;tag=q5" } } ],
    [ 'From: another, escapes', 'MESSAGE',
        { From => sub { 'From: <sip:a%00%22@example.org;x=%0d%0a>;tag=q6' } },
        { From => sub { "<$impu>;tag=q6" } } ],
    [ 'To: quotes, commas, brackets', 'MESSAGE',
        { To => sub { "To: $forged <sip:a%00b;c=d@\[2001:db8::1]:5;x=y>" } },
        { To => sub { "$forged <sip:a%00b;c=d@\[2001:db8::1]:5;x=y>" } } ],
    [ 'To: compact, folded, no brackets', 'MESSAGE',
        { To => sub { "t :\r\n sip:bob\@example.org\r\n ;x=\"a,b\"" } },
        { To => sub { 'sip:bob@example.org ;x="a,b"' } } ],
    [ 'Contact: quotes, commas, brackets', 'OPTIONS',
        { more => sub { 'Contact: "a,>;x=<" <sip:a,b@example.org;c>;'
            . '+g="a,b;c>\\"";expires=5' } },
        { Contact => sub { qr/^<sip:\w{32,}\@\Q$own\E>;\+g="a,b;c>\\"";
            expires=5$/x } } ],
    [ 'Contact: compact, several, folded', 'OPTIONS',
        { more => sub { "m:\r\n <sip:a\@b>;\r\n q=1 , <sip:c\@d>\r\n"
            . 'M: sip:e@f;q=0.2' } },
        { Contact => sub { qr/^<sip:\w{32,}\@\Q$own\E>;q=1$/ } } ],
    [ 'Contact: nothing but commas', 'OPTIONS',
        { more => sub { 'Contact: ,, ,' } }, { Contact => sub { '' } } ],
    [ 'Via: compact, folded, several', 'MESSAGE',
        { Via => sub { "v: SIP / 2.0 / WS a.invalid ; branch = $_[0] ,\r\n"
            . "\tSIP/2.0/UDP [2001:db8::1]:5060;x=\"a,b\";y\r\n"
            . 'vIA : SIP/2.0/UNKNOWN b.invalid;branch=2' } } ],
    [ 'Via: 500 of them', 'MESSAGE',
        { Via => sub { "Via: SIP/2.0/WS a.invalid;branch=$_[0]\r\n"
            . join "\r\n", map { "Via: SIP/2.0/UDP h$_.invalid;branch=$_" }
            2 .. 500 } } ],
    [ 'Via: 500 in a line', 'MESSAGE',
        { Via => sub { "Via: SIP/2.0/WS a.invalid;branch=$_[0],"
            . join ',', map { "SIP/2.0/UDP h$_.invalid" } 2 .. 500 } } ],
    [ 'Route: 100 in three lines', 'MESSAGE',
        { more => sub { "Route: <sip:a\@b;lr>\r\nrOUTE :\r\n $routes\r\n"
            . 'Route: "x,>" <sip:c@d>' } },
        { Route => sub { $core->service_route() } } ],
    [ 'CSeq: folded, zeros', 'MESSAGE',
        { CSeq => sub { "cseq:\r\n 0007\r\n MESSAGE" } },
        { CSeq => sub { '0007 MESSAGE' } } ],
    [ 'Max-Forwards: folded, zeros', 'MESSAGE',
        { 'Max-Forwards' => sub { "mAX-fORWARDS\t:\r\n\t007" } },
        { 'Max-Forwards' => sub { 6 } } ],
    [ 'Content-Length: twice, compact', 'MESSAGE',
        { more => sub { "l: 4\r\nCONTENT-LENGTH : 4" }, body => sub { 'abcd' },
            'Content-Length' => sub { 'Content-Length:4' } },
        { 'Content-Length' => sub { 4 } } ],
    [ 'forged ones in odd case', 'MESSAGE',
        { more => sub { join "\r\n", 'p-aSSERTED-iDENTITY :<sip:no@x>',
            'AUTHORIZATION: Digest a="b,c", d=e', 'pRIVACY: none',
            "P-Preferred-Identity:\r\n \"x,\" <sip:no\@x>", 'p-X: 1',
            'rECORD-rOUTE:<sip:no@x;lr>,<sip:no@y>', 'pATH: <sip:no@x>' } },
        { 'P-Asserted-Identity' => sub { "<$impu>" }, Privacy => sub { 'none' },
            map { my $no = $_; $no => sub { '' } } qw/ Authorization P-X Path
            P-Preferred-Identity Record-Route / } ],
    [ 'sec-agree among others', 'MESSAGE',
        { more => sub { "k: a,Sec-Agree,\r\n b\r\nSupported: sec-agree" } },
        { Supported => sub { 'a|b' } } ],
    [ 'Privacy: in odd ways', 'MESSAGE',
        { more => sub { "privacy :\r\n Critical ; ID" },
            From => sub { "From: $forged <$impu>;tag=q7" } },
        { From => sub { '"Anonymous" <sip:anonymous@anonymous.invalid>'
            . ';tag=q7' } } ],
    [ 'Request-URI: escapes, quotes', 'MESSAGE',
        { uri => sub { "sip:%00'(a)!?b;c=&d=+\$,/\@example.org;e=%22%3c" } } ],
    [ '60 kB', 'MESSAGE',
        { body => sub { 'x' x 60000 } }, { 'Content-Length' =>
            sub { 60000 } } ],
);

# the answer that refuses

my @refused = (
    [ 'nested brackets', 400, { To => sub { 'To: <<sip:bob@example.org>>' } } ],
    [ 'bracket in brackets', 400, { To => sub { 'To: <sip:bob<@x>>' } } ],
    [ 'quote not closed', 400,
        { more => sub { 'Contact: "a <sip:a@b>;x="c' } } ],
    [ 'backslash before the last quote', 400,
        { From => sub { "From: \"a\\\" <$impu>;tag=1" } } ],
    [ 'two tags', 400, { From => sub { "From: <$impu>;tag=1;Tag=2" } } ],
    [ 'two addresses in From', 400,
        { From => sub { "From: <$impu>;tag=1,<$impu>;tag=2" } } ],
    [ 'two From, one compact', 400,
        { more => sub { "f: <$impu>;tag=1" } } ],
    [ 'two branches', 400,
        { Via => sub { "Via: SIP/2.0/WS a;branch=$_[0];branch=1" } } ],
    [ 'Content-Lengths apart', 400,
        { more => sub { 'l: 4' }, body => sub { 'abcd' },
            'Content-Length' => sub { 'Content-Length: 5' } } ],
    [ 'CSeq with two numbers', 400, { CSeq => sub { 'CSeq: 1 2 MESSAGE' } } ],
    [ 'a name in two lines', 400, { more => sub { "Con\r\n tact: x" } } ],
    [ '641 header fields', 513, { more => sub { join "\r\n",
        map { "Z: $_" } 1 .. 641 } } ],
    [ 'a line of 17 kB', 513, { more => sub { 'Z: ' . 'y' x 17000 } } ],
);

# from the core: title, lines, what the browser sees in a header field

my @down = (
    [ 'From: quotes, commas, brackets',
        { From => sub { "From: $forged <sip:a%00,b\@x;c>;x=\"tag=n\";tag=1" } },
        { From => sub { "$forged <sip:a%00,b\@x;c>;x=\"tag=n\";tag=1" } } ],
    [ 'From and To: compact, folded',
        { From => sub { "f:\r\n sip:a\@b\r\n ;tag=2" },
            To => sub { "t:\"\xc3\xa4,\"\r\n\t<$impu>" } },
        { From => sub { 'sip:a@b ;tag=2' }, To => sub { "\"\xc3\xa4,\" <$impu>"
            } } ],
    [ 'Via: compact, folded, several',
        { Via => sub { "v: SIP / 2.0 / UDP " . $core->host()
            . " ; branch = $_[0] ,\r\n\tSIP/2.0/TCP [2001:db8::1];x=\"a,b\"\r\n"
            . 'vIA : SIP/2.0/UNKNOWN b.invalid;branch=2' } } ],
    [ 'Via: 500 of them',
        { Via => sub { 'Via: SIP/2.0/UDP ' . $core->host()
            . ";branch=$_[0]\r\n" . join "\r\n",
            map { "Via: SIP/2.0/UDP h$_.invalid;branch=$_" } 2 .. 500 } } ],
    [ 'Route: 100 in three lines',
        { Route => sub { 'rOUTE :' . path() . ", <sip:a\@b;lr>\r\nRoute:\r\n "
            . "$routes\r\nRoute: \"x,>\" <sip:c\@d>" } },
        { Route => sub { '' } } ],
    [ 'Record-Route of a MESSAGE',
        { more => sub { "Record-Route: \"a,>\" <sip:a\@b;lr> ,\r\n <sip:c\@d>"
            } }, { 'Record-Route' => sub { '' } } ],
    [ 'what is the core\'s, in odd case',
        { more => sub { join "\r\n", 'p-cHARGING-vECTOR :icid-value=secret',
            "P-CHARGING-FUNCTION-ADDRESSES:\r\n ccf=secret",
            'p-access-network-info: secret, secret', 'sECURITY-sERVER:secret',
            'P-Asserted-Identity: "ä, >" <sip:bob@x>, <tel:+1>',
            'P-Early-Media: supported' } },
        { 'P-Asserted-Identity' => sub { '"ä, >" <sip:bob@x>, <tel:+1>' },
            'P-Early-Media' => sub { 'supported' },
            map { my $no = $_; $no => sub { '' } } qw/ P-Charging-Vector
            P-Charging-Function-Addresses P-Access-Network-Info
            Security-Server / } ],
    [ 'Privacy: in odd ways',
        { more => sub { "P-Asserted-Identity: <sip:bob\@x>\r\npRIVACY:\r\n "
            . "user ;critical; iD\r\np-asserted-identity: <tel:+1>" } },
        { 'P-Asserted-Identity' => sub { '' } } ],
    [ 'Content-Length: twice, compact',
        { more => sub { "l: 4\r\nCONTENT-LENGTH : 4" }, body => sub { 'abcd' },
            'Content-Length' => sub { 'Content-Length:4' } },
        { 'Content-Length' => sub { 4 } } ],
    [ '60 kB', { body => sub { 'x' x 60000 } },
        { 'Content-Length' => sub { 60000 } } ],
);

$t->plan(@up + @refused + @down + 6)->run();

$core = IMS::Core->new()->registrar();
$mary = IMS::Browser->open(token => $jwt->token('mary'));
$mary->register();
$impu = $mary->{impu};
$own = '127.0.0.1:' . port(8980, udp => 1);

for my $case (@up) {
    my ($title, $method, $lines, $seen) = @$case;

    is(trip($mary, $core, $method, $lines, $seen || {}), '', "up, $title");
}

for my $case (@refused) {
    my ($title, $code, $lines) = @$case;

    $mary->emit(message($mary, 'MESSAGE', $lines));
    is($mary->expect(undef, 2)->{code}, $code, "$code: $title");
}

for my $case (@down) {
    my ($title, $lines, $seen) = @$case;

    is(trip($core, $mary, 'MESSAGE', { uri => sub {
        $core->{registered}{$impu}{contact} }, Route => sub {
        'Route: ' . path() }, %$lines }, $seen || {}), '', "down, $title");
}

# the longest that a browser may send, which no datagram holds, and one more

my $long = message($mary, 'MESSAGE', { body => sub { '' } });
my $size = 65535 - length($long) - 4;

$mary->emit(message($mary, 'MESSAGE', { body => sub { 'x' x $size } }));
my $r = $mary->final('MESSAGE', 2);
ok($r->{code} && $r->{code} =~ /^(?:513|503)$/, '65,535 bytes refused in words')
    or diag $r->{raw};
is($mary->ask('MESSAGE', max_forwards => 0)->{code}, 483, 'still open');

$mary->emit(message($mary, 'MESSAGE', { body => sub { 'x' x ($size + 1) } }));
is($mary->closed(), 1009, '65,536 bytes');

$mary = IMS::Browser->open(token => $jwt->token('mary'));
is($mary->register()->{code}, 200, 'REGISTER afterwards');

$mary->start('MESSAGE', body => 'fine');
$r = $core->expect('MESSAGE');
is($r->{body}, 'fine', 'MESSAGE afterwards');
$core->reply($r, 200, 'OK');
is($mary->final('MESSAGE')->{code}, 200, 'its answer');

sub path { return $core->{registered}{$impu}{path} }

# a request of $ua with lines replaced, line by line

sub message {
    my ($ua, $method, $lines) = @_;
    my $n = ++$serial;

    my %line = (
        uri => sub { 'sip:bob@ims.operator.example' },
        Via => sub { 'Via: SIP/2.0/' . ($ua == $core
            ? 'UDP ' . $core->host() : "WS $mary->{host}")
            . ";branch=$_[0]" },
        'Max-Forwards' => sub { 'Max-Forwards: 70' },
        From => sub { 'From: <' . ($ua == $core ? 'sip:bob@x' : $impu)
            . ">;tag=f$n" },
        To => sub { 'To: <' . ($ua == $core ? $impu
            : 'sip:bob@ims.operator.example') . '>' },
        'Call-ID' => sub { "Call-ID: torture-$$-$n" },
        CSeq => sub { "CSeq: 1 $method" }, body => sub { '' }, %$lines,
    );

    my $body = $line{body}->();
    my $head = "$method " . $line{uri}->() . ' SIP/2.0';

    $line{'Content-Length'} ||= sub { 'Content-Length: ' . length $body };

    for my $name (qw/ Via Max-Forwards From To Call-ID CSeq Route more
        Content-Length /)
    {
        $head .= "\r\n" . $line{$name}->("z9hG4bKt$$-$n") if $line{$name};
    }

    return join("\r\n", $head, @kept) . "\r\n\r\n$body";
}

# header lines as they stand, folds and all

sub raw {
    my ($bytes, $name) = @_;
    my %compact = (Via => 'v', From => 'f', CSeq => 'cseq');
    my ($head) = split /\r\n\r\n/, $bytes, 2;

    return map { /^(?:\Q$name\E|$compact{$name})\s*:\s*(.*)$/si ? $1 : () }
        split /\r\n(?![ \t])/, $head;
}

# There and back: what is wrong, in words.

sub trip {
    my ($from, $to, $method, $lines, $seen) = @_;

    my $sent = message($from, $method, $lines);
    my @wrong;

    $from->emit($sent);
    my $r = $to->expect($method, 3);

    if (!$r) {
        my $answer = $from->final($method, 1);
        return 'nothing came, ' . ($answer ? "answered $answer->{code}"
            : 'no answer');
    }

    for my $name (sort keys %$seen) {
        my $expected = $seen->{$name}->();
        my $got = join '|', $r->all($name);

        push @wrong, "$name: $got" unless ref $expected
            ? $got =~ $expected : $got eq $expected;
    }

    push @wrong, "lost: $_"
        for grep { index($r->{raw}, "\r\n$_\r\n") < 0 } @kept;
    push @wrong, 'Vias: ' . $r->list('Via') if $r->list('Via') != 1;
    push @wrong, 'body' if $r->{body} ne (split /\r\n\r\n/, $sent, 2)[1];
    push @wrong, "URI: $r->{uri}" if $to == $core
        && $r->{uri} ne ($sent =~ /^\S+ (\S+)/)[0];

    $to->reply($r, 200, 'OK');
    my $answer = $from->final($method, 3);

    return join '; ', @wrong, 'no answer' unless $answer;

    for my $name (qw/ Via From CSeq /) {
        push @wrong, "$name of the answer" if join("\r\n",
            raw($answer->{raw}, $name)) ne join("\r\n", raw($sent, $name));
    }

    return join '; ', @wrong;
}
