package IMS::SDP;

# Copyright (C) the IMS portal authors

# Session descriptions as a browser and as an IMS end point send them; the
# fake media helper answers with them, so a test sees which one arrived where.

use warnings;
use strict;

use base qw/ Exporter /;

our @EXPORT_OK = qw/ web_sdp ims_sdp /;

sub lines { return join('', map { "$_\r\n" } @_) }

sub web_sdp {
    my (%o) = @_;

    return lines('v=0', 'o=- 4107 ' . ($o{version} || 2) . ' IN IP4 127.0.0.1',
        's=-', 't=0 0', 'a=group:BUNDLE 0',
        'm=audio 9 UDP/TLS/RTP/SAVPF 111 0 8 126', 'c=IN IP4 0.0.0.0',
        'a=mid:0', 'a=rtcp-mux', 'a=ice-ufrag:' . ($o{ufrag} || 'Br0w'),
        'a=ice-pwd:0123456789abcdefghijklmn', 'a=ice-options:trickle',
        'a=fingerprint:sha-256 ' . join(':', ('A7') x 32),
        'a=setup:' . ($o{setup} || 'actpass'), 'a=rtpmap:111 opus/48000/2',
        'a=rtpmap:0 PCMU/8000', 'a=rtpmap:8 PCMA/8000',
        'a=rtpmap:126 telephone-event/8000',
        'a=' . ($o{direction} || 'sendrecv'));
}

sub ims_sdp {
    my (%o) = @_;

    return lines('v=0', 'o=- 7001 ' . ($o{version} || 1) . ' IN IP4 192.0.2.9',
        's=-', 'c=IN IP4 192.0.2.9', 't=0 0',
        'm=audio ' . ($o{port} || 40500) . ' RTP/AVP 8 126', 'b=AS:80',
        'a=rtpmap:8 PCMA/8000', 'a=rtpmap:126 telephone-event/8000',
        'a=fmtp:126 0-15', 'a=ptime:20',
        'a=' . ($o{direction} || 'sendrecv'));
}

1;
