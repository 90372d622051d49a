#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# The media helper as a black box, a gateway of RFC 8825 4 (ME-1): starts
# it, and lets mh_peer play the proxy, the browser and the IMS.  With MEDIA_SERVER=rtpengine the same
# client runs against rtpengine, to show that the client is right.
# MEDIA_HELPER names another helper, MEDIA_OPTIONS has more options for it.

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use File::Temp qw/ tempdir /;
use IO::Socket::INET;

my $top = abs_path(dirname(__FILE__) . '/../..');
my $peer = "$top/t/media/build/mh_peer";
my $helper = $ENV{MEDIA_HELPER} || "$top/media-helper/media-helper";
my $server = $ENV{MEDIA_SERVER} || $helper;
my $reference = $server =~ /rtpengine/;

if (system("make -s -C $top/t/media >&2") != 0) {
	print "1..1\nnot ok 1 - the client builds\n";
	exit 1;
}

if (!$reference && !-x $server) {
	print "1..1\nnot ok 1 - $server is built\n";
	exit 1;
}

my $dir = tempdir('media-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $log = "$dir/log";
my $v6 = has_v6();

my $web = free_port();
my (@command, $control, @more);

if ($reference) {
	my $ng = free_port();

	$control = "udp:127.0.0.1:$ng";
	@command = ($server, qw/ -f --config-file=none --table=-1 -E /,
		'--interface=web/127.0.0.1', '--interface=ims/127.0.0.1',
		$v6 ? ('--interface=web/::1', '--interface=ims/::1') : (),
		"--listen-ng=127.0.0.1:$ng", '--port-min=30000',
		'--port-max=31000', '--delete-delay=0');

} else {
	$control = "unix:$dir/ng.sock";
	@more = ("seqpacket:$dir/seq.sock", 'udp:127.0.0.1:' . free_port());
	@command = ($server, '-d', (map { ('-c', $_) } $control, @more),
		'-w', ($v6 ? '127.0.0.1,[::1],127.0.0.3'
			: '127.0.0.1,127.0.0.3') . ":$web",
		'-T', $web, '-i', $v6 ? '127.0.0.1,::1' : '127.0.0.1',
		'-p', '30000-31000', split(' ', $ENV{MEDIA_OPTIONS} || ''));
}

my $pid = fork();
die "fork: $!" unless defined $pid;

if ($pid == 0) {
	open STDIN, '<', '/dev/null';
	open STDOUT, '>', $log;
	open STDERR, '>&', \*STDOUT;
	exec @command;
	die "exec $server: $!";
}

for (1 .. 100) {
	last if ready() || waitpid($pid, 1) == $pid;
	select undef, undef, undef, 0.05;
}

select undef, undef, undef, 0.5 if $reference;

my $rc = system($peer, $reference ? () : ('-p', '30000-31000'),
	(map { ('-c', $_) } $control, @more), $v6 ? ('-6', '::1') : (),
	$reference ? '-r' : ());

my $alive = kill 0, $pid;
kill 'TERM', $pid;
waitpid $pid, 0;
my $status = $?;

my $text = do { local (@ARGV, $/) = $log; <> };
print map { "# $_\n" } split /\n/, $text
	if $rc || $ENV{MEDIA_VERBOSE} || $text =~ /Sanitizer|runtime error/;

if ($rc || !$alive || (!$reference && $status != 0)
	|| $text =~ /Sanitizer|runtime error/)
{
	print "# server: ", $alive ? 'alive' : 'dead', ", status $status\n";
	exit 1;
}

###############################################################################

sub ready {
	return -S "$dir/ng.sock" unless $reference;
	return 1;
}

sub free_port {
	my ($udp, $tcp);

	for (1 .. 100) {
		$udp = IO::Socket::INET->new(Proto => 'udp',
			LocalAddr => '127.0.0.1', LocalPort => 0) or die "socket: $!";

		# -T may want the same number for TCP
		$tcp = IO::Socket::INET->new(Proto => 'tcp', Listen => 1,
			LocalAddr => '127.0.0.1', LocalPort => $udp->sockport());

		last if $tcp;
	}

	return $udp->sockport();
}

sub has_v6 {
	require Socket;
	socket(my $s, Socket::PF_INET6(), Socket::SOCK_DGRAM(), 0) or return 0;
	return bind($s, Socket::pack_sockaddr_in6(0,
		Socket::inet_pton(Socket::AF_INET6(), '::1')));
}

###############################################################################
