
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Session descriptions for the SDP tests: as browsers and IMS equipment write
 * them, shortened where lines only repeat.
 */


#ifndef _SDP_SAMPLES_H_INCLUDED_
#define _SDP_SAMPLES_H_INCLUDED_


#define FINGERPRINT                                                          \
    "19:E2:1C:3B:4B:9F:81:E6:B8:5C:F4:A5:A8:D8:73:04:"                       \
    "BB:05:2F:70:9F:04:A9:0E:05:E9:26:33:E8:70:88:A2"

#define WEB_HEAD                                                             \
    "v=0\r\n"                                                                \
    "o=- 410 2 IN IP4 127.0.0.1\r\n"                                         \
    "s=-\r\n"                                                                \
    "t=0 0\r\n"

#define WEB_TRANSPORT                                                        \
    "a=rtcp-mux\r\n"                                                         \
    "a=ice-ufrag:Br0w\r\n"                                                   \
    "a=ice-pwd:0123456789abcdefghijklmn\r\n"                                 \
    "a=ice-options:trickle\r\n"                                              \
    "a=fingerprint:sha-256 " FINGERPRINT "\r\n"                              \
    "a=setup:actpass\r\n"

#define WEB_AUDIO                                                            \
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8 110 126\r\n"                        \
    "c=IN IP4 0.0.0.0\r\n"                                                   \
    "a=mid:0\r\n"                                                            \
    WEB_TRANSPORT                                                            \
    "a=rtpmap:111 opus/48000/2\r\n"                                          \
    "a=rtpmap:0 PCMU/8000\r\n"                                               \
    "a=rtpmap:8 PCMA/8000\r\n"                                               \
    "a=rtpmap:110 telephone-event/48000\r\n"                                 \
    "a=rtpmap:126 telephone-event/8000\r\n"                                  \
    "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n"             \
    "a=sendrecv\r\n"

/* max-bundle: the second m-line has no port and no transport of its own */

#define WEB_VIDEO                                                            \
    "m=video 0 UDP/TLS/RTP/SAVPF 96 97 102\r\n"                              \
    "c=IN IP4 0.0.0.0\r\n"                                                   \
    "a=mid:1\r\n"                                                            \
    "a=bundle-only\r\n"                                                      \
    "a=rtpmap:96 VP8/90000\r\n"                                              \
    "a=rtpmap:97 rtx/90000\r\n"                                              \
    "a=fmtp:97 apt=96\r\n"                                                   \
    "a=rtpmap:102 H264/90000\r\n"                                            \
    "a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;"             \
        "profile-level-id=42e01f\r\n"                                        \
    "a=rtcp-fb:102 nack pli\r\n"                                             \
    "a=rtcp-fb:102 transport-cc\r\n"

#define WEB_DATA                                                             \
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"                   \
    "c=IN IP4 0.0.0.0\r\n"                                                   \
    "a=mid:2\r\n"                                                            \
    "a=sctp-port:5000\r\n"                                                   \
    "a=max-message-size:262144\r\n"

#define WEB_OFFER      WEB_HEAD "a=group:BUNDLE 0\r\n" WEB_AUDIO
#define WEB_OFFER_AV   WEB_HEAD "a=group:BUNDLE 0 1\r\n" WEB_AUDIO WEB_VIDEO


static const __attribute__((unused)) char  chromium_offer[] =
    "v=0\r\n"
    "o=- 4611731400430051336 2 IN IP4 127.0.0.1\r\n"
    "s=-\r\n"
    "t=0 0\r\n"
    "a=group:BUNDLE 0 1\r\n"
    "a=extmap-allow-mixed\r\n"
    "a=msid-semantic: WMS lgsCFqt9kN2fVKw5wg3NKqGdATQoltEwOdMS\r\n"
    "m=audio 58779 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\n"
    "c=IN IP4 192.0.2.15\r\n"
    "a=rtcp:9 IN IP4 0.0.0.0\r\n"
    "a=candidate:1467250027 1 udp 2122260223 192.0.2.15 46243 typ host "
        "generation 0 network-id 1\r\n"
    "a=candidate:1467250028 1 udp 2122260222 "
        "9b36eaac-bb2e-49bb-bb78-21c41c499900.local 46244 typ host "
        "generation 0\r\n"
    "a=candidate:435653019 1 tcp 1845501695 192.0.2.15 9 typ host "
        "tcptype active generation 0\r\n"
    "a=ice-ufrag:OF7d\r\n"
    "a=ice-pwd:MhqRxgGYdSXz/lmGFlQ8NZNw\r\n"
    "a=ice-options:trickle\r\n"
    "a=fingerprint:sha-256 " FINGERPRINT "\r\n"
    "a=setup:actpass\r\n"
    "a=mid:0\r\n"
    "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n"
    "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
        "\r\n"
    "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
    "a=sendrecv\r\n"
    "a=msid:lgsCFqt9kN2fVKw5wg3NKqGdATQoltEwOdMS b7f6\r\n"
    "a=rtcp-mux\r\n"
    "a=rtcp-rsize\r\n"
    "a=rtpmap:111 opus/48000/2\r\n"
    "a=rtcp-fb:111 transport-cc\r\n"
    "a=fmtp:111 minptime=10;useinbandfec=1\r\n"
    "a=rtpmap:63 red/48000/2\r\n"
    "a=fmtp:63 111/111\r\n"
    "a=rtpmap:9 G722/8000\r\n"
    "a=rtpmap:0 PCMU/8000\r\n"
    "a=rtpmap:8 PCMA/8000\r\n"
    "a=rtpmap:13 CN/8000\r\n"
    "a=rtpmap:110 telephone-event/48000\r\n"
    "a=rtpmap:126 telephone-event/8000\r\n"
    "a=ssrc:3570614608 cname:4TOk42mSjXCkVIa6\r\n"
    "a=ssrc:3570614608 msid:lgsCFqt9kN2fVKw5wg3NKqGdATQoltEwOdMS b7f6\r\n"
    "m=video 9 UDP/TLS/RTP/SAVPF 96 97 103 104 107 108 109 114 39 40 127 125"
        "\r\n"
    "c=IN IP4 0.0.0.0\r\n"
    "a=rtcp:9 IN IP4 0.0.0.0\r\n"
    "a=ice-ufrag:OF7d\r\n"
    "a=ice-pwd:MhqRxgGYdSXz/lmGFlQ8NZNw\r\n"
    "a=fingerprint:sha-256 " FINGERPRINT "\r\n"
    "a=setup:actpass\r\n"
    "a=mid:1\r\n"
    "a=extmap:14 urn:ietf:params:rtp-hdrext:toffset\r\n"
    "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
    "a=sendrecv\r\n"
    "a=rtcp-mux\r\n"
    "a=rtcp-rsize\r\n"
    "a=rtpmap:96 VP8/90000\r\n"
    "a=rtcp-fb:96 goog-remb\r\n"
    "a=rtcp-fb:96 transport-cc\r\n"
    "a=rtcp-fb:96 ccm fir\r\n"
    "a=rtcp-fb:96 nack\r\n"
    "a=rtcp-fb:96 nack pli\r\n"
    "a=rtpmap:97 rtx/90000\r\n"
    "a=fmtp:97 apt=96\r\n"
    "a=rtpmap:103 H264/90000\r\n"
    "a=rtcp-fb:103 goog-remb\r\n"
    "a=rtcp-fb:103 transport-cc\r\n"
    "a=rtcp-fb:103 ccm fir\r\n"
    "a=rtcp-fb:103 nack\r\n"
    "a=rtcp-fb:103 nack pli\r\n"
    "a=fmtp:103 level-asymmetry-allowed=1;packetization-mode=1;"
        "profile-level-id=42001f\r\n"
    "a=rtpmap:104 rtx/90000\r\n"
    "a=fmtp:104 apt=103\r\n"
    "a=rtpmap:107 H264/90000\r\n"
    "a=fmtp:107 level-asymmetry-allowed=1;packetization-mode=0;"
        "profile-level-id=42001f\r\n"
    "a=rtpmap:108 rtx/90000\r\n"
    "a=fmtp:108 apt=107\r\n"
    "a=rtpmap:109 H264/90000\r\n"
    "a=rtcp-fb:109 nack pli\r\n"
    "a=fmtp:109 level-asymmetry-allowed=1;packetization-mode=1;"
        "profile-level-id=42e01f\r\n"
    "a=rtpmap:114 red/90000\r\n"
    "a=rtpmap:39 AV1/90000\r\n"
    "a=rtpmap:40 rtx/90000\r\n"
    "a=fmtp:40 apt=39\r\n"
    "a=rtpmap:127 H264/90000\r\n"
    "a=fmtp:127 level-asymmetry-allowed=1;packetization-mode=1;"
        "profile-level-id=4d001f\r\n"
    "a=rtpmap:125 ulpfec/90000\r\n"
    "a=ssrc-group:FID 2231627014 632943048\r\n"
    "a=ssrc:2231627014 cname:4TOk42mSjXCkVIa6\r\n";


static const __attribute__((unused)) char  firefox_offer[] =
    "v=0\r\n"
    "o=mozilla...THIS_IS_SDPARTA-99.0 3115 0 IN IP4 0.0.0.0\r\n"
    "s=-\r\n"
    "t=0 0\r\n"
    "a=sendrecv\r\n"
    "a=fingerprint:sha-256 " FINGERPRINT "\r\n"
    "a=group:BUNDLE 0\r\n"
    "a=ice-options:trickle\r\n"
    "a=msid-semantic:WMS *\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 109 9 0 8 101\r\n"
    "c=IN IP4 0.0.0.0\r\n"
    "a=sendrecv\r\n"
    "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n"
    "a=extmap:2/recvonly urn:ietf:params:rtp-hdrext:csrc-audio-level\r\n"
    "a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
    "a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1\r\n"
    "a=fmtp:101 0-15\r\n"
    "a=ice-pwd:6ee2a0d5cfd28c1ed4ddaf62ad3a7d7d\r\n"
    "a=ice-ufrag:4b0a11d2\r\n"
    "a=mid:0\r\n"
    "a=msid:{6a2f} {c1c8}\r\n"
    "a=rtcp-mux\r\n"
    "a=rtpmap:109 opus/48000/2\r\n"
    "a=rtpmap:9 G722/8000/1\r\n"
    "a=rtpmap:0 PCMU/8000\r\n"
    "a=rtpmap:8 PCMA/8000\r\n"
    "a=rtpmap:101 telephone-event/8000/1\r\n"
    "a=setup:actpass\r\n"
    "a=ssrc:3219217424 cname:{38d5}\r\n";


static const __attribute__((unused)) char  ims_answer[] =
    "v=0\r\n"
    "o=ims 1 1 IN IP4 192.0.2.40\r\n"
    "s=call\r\n"
    "c=IN IP4 192.0.2.40\r\n"
    "t=0 0\r\n"
    "m=audio 40500 RTP/AVP 8 126\r\n"
    "a=rtpmap:126 telephone-event/8000\r\n"
    "a=fmtp:126 0-15\r\n"
    "a=ptime:20\r\n";


static const __attribute__((unused)) char  ims_answer_av[] =
    "v=0\r\n"
    "o=ims 1 1 IN IP4 192.0.2.40\r\n"
    "s=call\r\n"
    "c=IN IP4 192.0.2.40\r\n"
    "t=0 0\r\n"
    "m=audio 40500 RTP/AVP 8 126\r\n"
    "a=rtpmap:126 telephone-event/8000\r\n"
    "a=fmtp:126 0-15\r\n"
    "a=ptime:20\r\n"
    "m=video 40502 RTP/AVPF 102\r\n"
    "a=rtpmap:102 H264/90000\r\n"
    "a=fmtp:102 packetization-mode=1;profile-level-id=42e00c\r\n"
    "a=rtcp-fb:102 nack pli\r\n";


/* a VoLTE handset through its core: what it says goes beyond a browser */

static const __attribute__((unused)) char  ims_offer[] =
    "v=0\n"
    "o=- 988 988 IN IP4 198.51.100.77\n"
    "s=QC VOIP\n"
    "c=IN IP4 198.51.100.77\n"
    "b=AS:49\n"
    "t=0 0\n"
    "m=audio 50010 RTP/AVP 104 105 8 96 97\n"
    "b=AS:49\n"
    "b=RS:612\n"
    "b=RR:1837\n"
    "a=rtpmap:104 AMR-WB/16000/1\n"
    "a=fmtp:104 mode-change-capability=2;max-red=0\n"
    "a=rtpmap:105 AMR/8000/1\n"
    "a=fmtp:105 octet-align=1\n"
    "a=rtpmap:96 telephone-event/16000\n"
    "a=fmtp:96 0-15\n"
    "a=rtpmap:97 telephone-event/8000\n"
    "a=fmtp:97 0-15\n"
    "a=tra-contact:198.51.100.77\n"
    "a=curr:qos local none\n"
    "a=des:qos optional local sendrecv\n"
    "a=sendrecv\n"
    "a=ptime:20\n"
    "a=maxptime:240\n"
    "m=video 50012 RTP/AVP 97 98\n"
    "b=AS:384\n"
    "a=rtpmap:97 H264/90000\n"
    "a=fmtp:97 profile-level-id=42C00C; packetization-mode=1\n"
    "a=rtpmap:98 H263-2000/90000\n";


static const __attribute__((unused)) char  web_answer[] =
    "v=0\r\n"
    "o=- 77 2 IN IP4 127.0.0.1\r\n"
    "s=-\r\n"
    "t=0 0\r\n"
    "a=group:BUNDLE 0 1\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 8 97\r\n"
    "c=IN IP4 0.0.0.0\r\n"
    "a=rtcp:9 IN IP4 0.0.0.0\r\n"
    "a=ice-ufrag:Fire\r\n"
    "a=ice-pwd:0123456789abcdefghijklmn\r\n"
    "a=fingerprint:sha-256 " FINGERPRINT "\r\n"
    "a=setup:active\r\n"
    "a=mid:0\r\n"
    "a=sendrecv\r\n"
    "a=rtcp-mux\r\n"
    "a=rtpmap:8 PCMA/8000\r\n"
    "a=rtpmap:97 telephone-event/8000\r\n"
    "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n"
    "c=IN IP4 0.0.0.0\r\n"
    "a=mid:1\r\n"
    "a=recvonly\r\n"
    "a=rtcp-mux\r\n"
    "a=rtpmap:96 H264/90000\r\n"
    "a=rtcp-fb:96 nack pli\r\n"
    "a=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1;"
        "profile-level-id=42c00c\r\n";


#endif /* _SDP_SAMPLES_H_INCLUDED_ */
