#!/usr/bin/perl

# Copyright (C) the IMS portal authors

# What keys of ng do to packets in the media helper, as a black box: mh_keys
# plays the proxy, a browser and an RTP end.  MEDIA_HELPER names another
# helper, MEDIA_OPTIONS has more options for it.

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use File::Temp qw/ tempdir /;
use IO::Socket::INET;

my $top = abs_path(dirname(__FILE__) . '/../..');
my $peer = "$top/t/media/build/mh_keys";
my $helper = $ENV{MEDIA_HELPER} || "$top/media-helper/media-helper";

if (system("make -s -C $top/t/media >&2") != 0 || !-x $helper) {
	print "1..1\nnot ok 1 - client and helper are built\n";
	exit 1;
}

my $dir = tempdir('media-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $log = "$dir/log";

my $pid = fork();
die "fork: $!" unless defined $pid;

if ($pid == 0) {
	open STDIN, '<', '/dev/null';
	open STDOUT, '>', $log;
	open STDERR, '>&', \*STDOUT;
	exec $helper, '-d', '-c', "unix:$dir/s", '-w', '127.0.0.1:' . free_port(),
		'-i', '127.0.0.1', '-p', '33002-33400',
		split(' ', $ENV{MEDIA_OPTIONS} || '');
	die "exec $helper: $!";
}

for (1 .. 400) {
	last if -S "$dir/s" || waitpid($pid, 1) == $pid;
	select undef, undef, undef, 0.05;
}

my $rc = system($peer, '-c', "unix:$dir/s");

my $alive = kill 0, $pid;
kill 'TERM', $pid;
waitpid $pid, 0;
my $status = $?;

my $text = do { local (@ARGV, $/) = $log; <> };
print map { "# $_\n" } split /\n/, $text
	if $rc || $ENV{MEDIA_VERBOSE} || $text =~ /Sanitizer|runtime error/;

if ($rc || !$alive || $status || $text =~ /Sanitizer|runtime error/) {
	print '# helper: ', $alive ? 'alive' : 'dead', ", status $status\n";
	exit 1;
}

###############################################################################

sub free_port {
	my $s = IO::Socket::INET->new(Proto => 'udp',
		LocalAddr => '127.0.0.1', LocalPort => 0) or die "socket: $!";
	return $s->sockport();
}

###############################################################################
