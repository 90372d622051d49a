/*
 * Copyright (C) the IMS portal authors
 *
 * The cases of cases.c and bundle.c that a helper has to get right, and that
 * rtpengine does in another way or not at all.
 */

#ifndef CASES_H
#define CASES_H

#include "call.h"


void test_roles(struct ng *ng, const char *addr);
void test_hash(struct ng *ng, const char *addr);
void test_early(struct ng *ng, const char *addr);
void test_forks(struct ng *ng, const char *addr);
void test_ice_restart(struct ng *ng, const char *addr);
void test_ice_rejected(struct ng *ng, const char *addr);
void test_takeover(struct ng *ng, const char *addr);
void test_move_rejected(struct ng *ng, const char *addr);
void test_ice_moves(struct ng *ng, const char *addr);
void test_framing(struct ng *ng, const char *addr);
void test_sizes(struct ng *ng, const char *addr);
void test_dtls_loss(struct ng *ng, const char *addr);
void test_video(struct ng *ng, const char *addr);
void test_bundle_none(struct ng *ng, const char *addr);
void test_bundle_taken_out(struct ng *ng, const char *addr);
void test_bundle_answered(struct ng *ng, const char *addr);
void test_bundle_tag(struct ng *ng, const char *addr);
void test_bundle_left(struct ng *ng, const char *addr);
void test_many(struct ng *ng, const char *addr);
void test_mixed(struct ng *ng, const char *v4, const char *v6);

/* ice.c: hard ICE and DTLS */
void test_ice_replayed(struct ng *ng, const char *addr);
void test_dtls_alerts(struct ng *ng, const char *addr);
void test_dtls_roles(struct ng *ng, const char *addr);
void test_ice_late(struct ng *ng, const char *addr);
void test_ice_receives(struct ng *ng, const char *addr);

void test_interfaces(struct ng *ng, const char *addr);

/* tcp.c: ICE over TCP */
void test_tcp(struct ng *ng, const char *addr);
void test_tcp_moves(struct ng *ng, const char *addr);
void test_tcp_lost(struct ng *ng, const char *addr);
void test_tcp_slow(struct ng *ng, const char *addr);
void test_tcp_strangers(struct ng *ng, const char *addr);

/* through the control socket spec */
void test_control(const char *spec, const char *addr);


#endif /* CASES_H */
