package Portal;

# Copyright (C) the IMS portal authors

# The portal on a core under test, in several ways to register and to reach it:
# a browser registers, sends a message to a far end and receives one, leaves.

use warnings;
use strict;

use Edge;
use IMS::Browser;
use IMS::Conf;
use IMS::JWT;
use Test::More;
use Test::Nginx qw/ port /;

my $home = 'ims.operator.example';
my $core;
my $as;

# $t is the Test::Nginx; a way is [name, environment of the core, parts of the
# configuration], where "CORE/" is the core's directory
sub works {
    my ($t, @ways) = @_;
    my $jwt = IMS::JWT->new($t);

    for my $way (@ways) {
        my ($name, $env, $conf) = @$way;
        my $transport = $env->{TRANSPORT};

        if (!$core || $as ne join ' ', %$env) {
            $core->stop() if $core;
            $as = join ' ', %$env;
            $core = Edge->new(TRANSPORT => 'udp',
                EDGE => '127.0.0.1:' . port(8980, udp => 1), %$env);
        }

        $t->write_file_expand('nginx.conf', ims_conf(%$conf,
            server_ims => "$core->{uri}:$core->{port}"
                . ($transport ? " transport=$transport" : ''))
            =~ s/CORE\//$core->{dir}\//gr);
        $t->run();
        one($name, IMS::Browser->open(token => $jwt->token('mary')));
        $t->stop();
    }
}

sub one {
    my ($name, $mary) = @_;
    my $impu = $mary->{impu};
    my $farend = $core->{farend};

    is($mary->register()->{code}, 200, "$name: registered as $impu");
    is(scalar $core->core('contacts'), 1, "$name: one binding");

    $mary->start('MESSAGE', to => "sip:9197\@$home", body => 'up');
    my $r = Edge::receive($farend, qr/^MESSAGE .*up$/s);
    is(Edge::header($r, 'P-Asserted-Identity'), "<$impu>",
        "$name: a message up");
    $core->answer($farend, $r, '200 OK') if $r;
    is($mary->final('MESSAGE')->{code}, 200, "$name: its answer");

    $core->send_to_core($farend, $core->request($farend, 'MESSAGE', $impu,
        From => "<sip:alice\@$home>;tag=a$name", To => "<$impu>",
        'Content-Type' => 'text/plain', _body => 'down'));
    $r = $mary->expect('MESSAGE');
    is($r->{body}, 'down', "$name: a message down");
    $mary->reply($r, 200, 'OK') if $r->{body} eq 'down';
    is(Edge::status(Edge::receive($farend, qr/^SIP\/2.0 [2-6]/)), 200,
        "$name: its answer");

    is($mary->register(expires => 0)->{code}, 200, "$name: left");
}

1;
