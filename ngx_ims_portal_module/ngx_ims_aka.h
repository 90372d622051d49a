/*
 * Copyright (C) the IMS portal authors
 *
 * Authentication and key agreement as a user's card does it: Milenage (TS
 * 35.206) and the checks of a challenge (TS 33.102 6.3.3).  Pure, beside
 * libcrypto.
 */


#ifndef _NGX_IMS_AKA_H_INCLUDED_
#define _NGX_IMS_AKA_H_INCLUDED_


#include "ngx_ims_str.h"


enum {
    NGX_IMS_AKA_KEY = 16,                /* bytes of K, OP, OPc, RAND, CK, IK */
    NGX_IMS_AKA_RES = 8,
    NGX_IMS_AKA_MAC = 8,
    NGX_IMS_AKA_SQN = 6,                 /* bytes of SQN and AK */
    NGX_IMS_AKA_AMF = 2,
    NGX_IMS_AKA_AUTN = 16,               /* SQN xor AK, AMF, MAC-A */
    NGX_IMS_AKA_AUTS = 14                /* SQN xor AK, MAC-S */
};


/* what all functions of one RAND give */
typedef struct {
    unsigned char        res[NGX_IMS_AKA_RES];
    unsigned char        ck[NGX_IMS_AKA_KEY];
    unsigned char        ik[NGX_IMS_AKA_KEY];
    unsigned char        ak[NGX_IMS_AKA_SQN];
    unsigned char        ak_star[NGX_IMS_AKA_SQN];   /* f5*, for AUTS */
} ngx_ims_aka_keys_t;


/* the highest SQN that was accepted; may be shared between processes */
typedef uint64_t  ngx_ims_aka_sqn_t;


/* OPc of an operator's OP and a K; NGX_IMS_OK or INVALID (libcrypto failed) */
int ngx_ims_aka_opc(const unsigned char *k, const unsigned char *op,
    unsigned char *opc);

/* f2, f3, f4, f5 and f5*; NGX_IMS_OK or INVALID */
int ngx_ims_aka_f2345(const unsigned char *k, const unsigned char *opc,
    const unsigned char *rand, ngx_ims_aka_keys_t *keys);

/* f1 and f1*, NGX_IMS_AKA_MAC bytes each; NGX_IMS_OK or INVALID */
int ngx_ims_aka_f1(const unsigned char *k, const unsigned char *opc,
    const unsigned char *rand, const unsigned char *sqn,
    const unsigned char *amf, unsigned char *mac_a, unsigned char *mac_s);

/*
 * Checks a challenge and takes its SQN.
 *
 * sqn    the highest accepted before, 0: none yet; a challenge is fresh when
 *        its SQN is higher, and by no more than TS 33.102 C.2.1 allows
 * auts   NGX_IMS_AKA_AUTS bytes, written when it is not fresh
 *
 * Returns NGX_IMS_OK; NGX_IMS_MORE: not fresh, the network has to synchronize
 * by AUTS; NGX_IMS_INVALID: the MAC is wrong, this network does not know K.
 */
int ngx_ims_aka_check(const unsigned char *k, const unsigned char *opc,
    const unsigned char *rand, const unsigned char *autn,
    ngx_ims_aka_sqn_t *sqn, unsigned char *auts);


#endif /* _NGX_IMS_AKA_H_INCLUDED_ */
