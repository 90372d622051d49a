#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# SDES-SRTP between the media helper and the IMS (ME-17): mh_sdes
# plays the proxy, the browser and an SRTP end with libsrtp2.  With
# MEDIA_SERVER=rtpengine the same client runs against rtpengine, to show that
# the client is right.  MEDIA_HELPER names another helper, MEDIA_OPTIONS has
# more options for it.

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use File::Temp qw/ tempdir /;
use IO::Socket::INET;

my $top = abs_path(dirname(__FILE__) . '/../..');
my $peer = "$top/t/media/build/mh_sdes";
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
my (@command, $control);

if ($reference) {
	my $ng = free_port();

	$control = "udp:127.0.0.1:$ng";
	@command = ($server, qw/ -f --config-file=none --table=-1 -E /,
		'--interface=web/127.0.0.1', '--interface=ims/127.0.0.1',
		"--listen-ng=127.0.0.1:$ng", '--port-min=31002',
		'--port-max=32000', '--delete-delay=0');

} else {
	$control = "unix:$dir/ng.sock";
	@command = ($server, '-d', '-c', $control,
		'-w', '127.0.0.1:' . free_port(), '-i', '127.0.0.1',
		'-p', '31002-32000', split(' ', $ENV{MEDIA_OPTIONS} || ''));
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

for (1 .. 200) {
	last if $reference || -S "$dir/ng.sock" || waitpid($pid, 1) == $pid;
	select undef, undef, undef, 0.05;
}

select undef, undef, undef, 0.5 if $reference;

my $rc = system($peer, '-c', $control, $reference ? '-r' : ());

my $alive = kill 0, $pid;
kill 'TERM', $pid;
waitpid $pid, 0;
my $status = $?;

my $text = do { local (@ARGV, $/) = $log; <> };
print map { "# $_\n" } split /\n/, $text
	if $rc || $ENV{MEDIA_VERBOSE} || $text =~ /Sanitizer|runtime error/;

# no key in a log

my $leak = !$reference && $text =~ /inline:|[A-Za-z0-9+\/]{37}/;

if ($rc || !$alive || $leak || (!$reference && $status != 0)
	|| $text =~ /Sanitizer|runtime error/)
{
	print "# server: ", $alive ? 'alive' : 'dead', ", status $status",
		$leak ? ", a key in its log\n" : "\n";
	exit 1;
}

###############################################################################

sub free_port {
	my $s = IO::Socket::INET->new(Proto => 'udp',
		LocalAddr => '127.0.0.1', LocalPort => 0) or die "socket: $!";
	return $s->sockport();
}

###############################################################################
