/*
 * Copyright (C) the IMS portal authors
 *
 * Well-formed SIP messages that several tests take apart: a registration, calls
 * in both directions, and the odd but legal ones that RFC 4475 3.1.1 is about.
 */


#ifndef _SIP_SAMPLES_H_INCLUDED_
#define _SIP_SAMPLES_H_INCLUDED_


#define SIP_REGISTER                                                          \
    "REGISTER sip:ims.example.net SIP/2.0\r\n"                                \
    "Via: SIP/2.0/WSS k3v9.invalid;branch=z9hG4bKb1;keep\r\n"                 \
    "Max-Forwards: 70\r\n"                                                    \
    "From: <sip:desk-017@corp.example.com>;tag=f1\r\n"                        \
    "To: <sip:desk-017@corp.example.com>\r\n"                                 \
    "Call-ID: r-5512@k3v9.invalid\r\n"                                        \
    "CSeq: 1 REGISTER\r\n"                                                    \
    "Contact: <sip:u17@k3v9.invalid;transport=ws>;reg-id=1;"                  \
        "+sip.instance=\"<urn:uuid:0b3c1a52-7d1e-4c11-9a6e-3f0a5d2c9e10>\";"  \
        "expires=600\r\n"                                                     \
    "Supported: path, outbound, gruu\r\n"                                     \
    "Authorization: Bearer eyJhbGciOiJFUzI1NiJ9.e30.c2ln\r\n"                 \
    "Content-Length: 0\r\n"                                                   \
    "\r\n"

#define SIP_REGISTER_UP                                                       \
    "REGISTER sip:ims.example.net SIP/2.0\r\n"                                \
    "Via: SIP/2.0/TCP portal.corp.example.com:5060;branch=z9hG4bKp1\r\n"      \
    "Via: SIP/2.0/WSS k3v9.invalid;branch=z9hG4bKb1;keep\r\n"                 \
    "Max-Forwards: 69\r\n"                                                    \
    "Path: <sip:fT0ken@portal.corp.example.com:5060;transport=tcp;lr;ob>\r\n" \
    "Require: path\r\n"                                                       \
    "Supported: path, outbound, gruu\r\n"                                     \
    "P-Visited-Network-ID: \"corp.example.com\"\r\n"                          \
    "P-Charging-Vector: icid-value=\"9f2c77@portal.corp.example.com\"\r\n"    \
    "Authorization: Digest username=\"desk-017@ims.example.net\", "           \
        "realm=\"ims.example.net\", uri=\"sip:ims.example.net\", "            \
        "nonce=\"\", response=\"\", integrity-protected=\"auth-done\"\r\n"    \
    "From: <sip:desk-017@corp.example.com>;tag=f1\r\n"                        \
    "To: <sip:desk-017@corp.example.com>\r\n"                                 \
    "Call-ID: r-5512@k3v9.invalid\r\n"                                        \
    "CSeq: 1 REGISTER\r\n"                                                    \
    "Contact: <sip:u17@k3v9.invalid;transport=ws>;reg-id=1;expires=600\r\n"   \
    "Content-Length: 0\r\n"                                                   \
    "\r\n"

#define SIP_REGISTER_200                                                      \
    "SIP/2.0 200 OK\r\n"                                                      \
    "Via: SIP/2.0/WSS k3v9.invalid;branch=z9hG4bKb1;keep=30\r\n"              \
    "From: <sip:desk-017@corp.example.com>;tag=f1\r\n"                        \
    "To: <sip:desk-017@corp.example.com>;tag=s9\r\n"                          \
    "Call-ID: r-5512@k3v9.invalid\r\n"                                        \
    "CSeq: 1 REGISTER\r\n"                                                    \
    "Path: <sip:fT0ken@portal.corp.example.com:5060;transport=tcp;lr;ob>\r\n" \
    "Service-Route: <sip:orig@scscf.ims.example.net;lr>\r\n"                  \
    "P-Associated-URI: <sip:desk-017@corp.example.com>, "                     \
        "<tel:+15550100017>\r\n"                                              \
    "Require: outbound\r\n"                                                   \
    "Contact: <sip:u17@k3v9.invalid;transport=ws>;reg-id=1;expires=600\r\n"   \
    "Content-Length: 0\r\n"                                                   \
    "\r\n"

#define SIP_SDP                                                               \
    "v=0\r\n"                                                                 \
    "o=- 410 2 IN IP4 127.0.0.1\r\n"                                          \
    "s=-\r\n"                                                                 \
    "t=0 0\r\n"                                                               \
    "a=group:BUNDLE 0\r\n"                                                    \
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8 110 126\r\n"                         \
    "c=IN IP4 0.0.0.0\r\n"                                                    \
    "a=mid:0\r\n"                                                             \
    "a=rtcp-mux\r\n"                                                          \
    "a=ice-ufrag:Br0w\r\n"                                                    \
    "a=ice-pwd:0123456789abcdefghijklmn\r\n"                                  \
    "a=setup:actpass\r\n"                                                     \
    "a=sendrecv\r\n"

#define SIP_INVITE                                                            \
    "INVITE tel:+15550199 SIP/2.0\r\n"                                        \
    "Via: SIP/2.0/WSS k3v9.invalid;branch=z9hG4bKb7\r\n"                      \
    "Max-Forwards: 70\r\n"                                                    \
    "Route: <sip:portal.corp.example.com;transport=ws;lr>, "                  \
        "<sip:orig@scscf.ims.example.net;lr>\r\n"                             \
    "From: <sip:desk-017@corp.example.com>;tag=f7\r\n"                        \
    "To: <tel:+15550199>\r\n"                                                 \
    "Call-ID: c-77@k3v9.invalid\r\n"                                          \
    "CSeq: 1 INVITE\r\n"                                                      \
    "Contact: <sip:u17@k3v9.invalid;transport=ws;ob>\r\n"                     \
    "P-Preferred-Identity: <sip:desk-017@corp.example.com>\r\n"               \
    "Supported: 100rel, timer, outbound\r\n"                                  \
    "Content-Type: application/sdp\r\n"                                       \
    "Content-Length: 230\r\n"                                                 \
    "\r\n"                                                                    \
    SIP_SDP

#define SIP_INVITE_DOWN                                                       \
    "INVITE sip:u17@k3v9.invalid;transport=ws SIP/2.0\r\n"                    \
    "Via: SIP/2.0/TCP scscf.ims.example.net;branch=z9hG4bKs3\r\n"             \
    "Max-Forwards: 66\r\n"                                                    \
    "Route: <sip:fT0ken@portal.corp.example.com:5060;transport=tcp;lr;ob>\r\n"\
    "Record-Route: <sip:scscf.ims.example.net;lr>\r\n"                        \
    "From: <tel:+15550199>;tag=t4\r\n"                                        \
    "To: <sip:desk-017@corp.example.com>\r\n"                                 \
    "Call-ID: 7e@scscf.ims.example.net\r\n"                                   \
    "CSeq: 8 INVITE\r\n"                                                      \
    "P-Called-Party-ID: <sip:desk-017@corp.example.com>\r\n"                  \
    "P-Asserted-Identity: <tel:+15550199>\r\n"                                \
    "P-Charging-Vector: icid-value=\"77ee@scscf.ims.example.net\"\r\n"        \
    "\r\n"

/* RFC 4475 3.1.1.1 in spirit: folds, any case, compact names, odd spaces */

#define SIP_ODD                                                               \
    "INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0\r\n"       \
    "TO :\r\n"                                                                \
    " sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n\r\n"         \
    "from   : \"J Rosenberg \\\\\\\"\"       <sip:jdrosen@example.com>\r\n"   \
    "  ;\r\n"                                                                 \
    "  tag = 98asjd8\r\n"                                                     \
    "MaX-fOrWaRdS: 0068\r\n"                                                  \
    "Call-ID: wsinv.ndaksdj@192.0.2.1\r\n"                                    \
    "Content-Length   : 0\r\n"                                                \
    "cseq: 0009\r\n"                                                          \
    "  INVITE\r\n"                                                            \
    "Via  : SIP  /   2.0\r\n"                                                 \
    " /UDP\r\n"                                                               \
    "    192.0.2.2;branch=390skdjuw\r\n"                                      \
    "s :\r\n"                                                                 \
    "NewFangledHeader:   newfangled value\r\n"                                \
    " continued newfangled value\r\n"                                         \
    "UnknownHeaderWithUnusualValue: ;;,,;;,;\r\n"                             \
    "Content-Type: application/sdp\r\n"                                       \
    "Route:\r\n"                                                              \
    " <sip:services.example.com;lr;unknownwith=value;unknown-no-value>\r\n"   \
    "v:  SIP  / 2.0  / TCP     spindle.example.com   ;\r\n"                   \
    "  branch  =   z9hG4bK9ikj8  ,\r\n"                                       \
    " SIP  /    2.0   / UDP  192.168.255.111   ; branch=\r\n"                 \
    " z9hG4bK30239\r\n"                                                       \
    "m:\"Quoted string \\\"\\\"\" <sip:jdrosen@example.com> ; newparam =\r\n" \
    "      newvalue ;\r\n"                                                    \
    "  secondparam ; q = 0.33\r\n"                                            \
    "\r\n"


#endif /* _SIP_SAMPLES_H_INCLUDED_ */
