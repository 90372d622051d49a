
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * The line a=crypto of SDP: RFC 4568, with the suites of RFC 6188 and RFC
 * 7714.  Pure: text in, numbers out, and back.  Who keeps the keys is
 * mh_keys.c.
 */


#ifndef MH_SDES_H
#define MH_SDES_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <re.h>


enum {
    MH_SDES_LINES = 12,         /* of an m-line; more are ignored */
    MH_SDES_SUITES = 6,
    MH_SDES_KEY = 46,           /* octets of the longest key and salt */
    MH_SDES_MKI = 16,           /* octets of an MKI; longer ones are refused */
    MH_SDES_TEXT = 160          /* room for a line of ours */
};


/* all suites, as a mask of 1 << number; the numbers order our offers */

#define MH_SDES_ALL  ((1u << MH_SDES_SUITES) - 1)

/* those that are offered without being named: not the tags of 32 bits */

#define MH_SDES_OFFER  0x0fu


struct mh_sdes_line {
    uint32_t  tag;              /* 0 to 999999999 */
    unsigned  suite;            /* 0 to MH_SDES_SUITES - 1 */
    uint8_t   key[MH_SDES_KEY]; /* master key, then master salt */
    uint8_t   mki_len;          /* 0 = packets have none */
    uint8_t   mki[MH_SDES_MKI];
};


/*
 * Reads the value of a=crypto.
 *
 * @param value  what follows "crypto:"
 * @param line   out: set on success only; the caller wipes the key
 *
 * @return 0; EBADMSG (not by the grammar); ENOTSUP (it is, but we cannot
 *         do it: suite, several keys, an MKI beyond MH_SDES_MKI, a session
 *         parameter other than WSH or one that may be ignored)
 */
int mh_sdes_parse(const struct pl *value, struct mh_sdes_line *line);

/*
 * Writes "a=crypto:..." with CRLF.
 *
 * @param pad   whether base64 ends with "=" where it is not full
 * @param buf   room; MH_SDES_TEXT is enough
 * @param size  its bytes
 *
 * @return bytes written, without the NUL; 0 if it does not fit
 */
size_t mh_sdes_print(const struct mh_sdes_line *line, bool pad, char *buf,
    size_t size);

/* @return a suite's profile for mh_srtp_alloc() */
unsigned mh_sdes_profile(unsigned suite);

/* @return octets of a suite's key alone, and with the salt */
size_t mh_sdes_key_len(unsigned suite);
size_t mh_sdes_key_salt_len(unsigned suite);

/* @return its name, a constant */
const char *mh_sdes_name(unsigned suite);

/* @return the number of the suite with that name, or -1; case is ignored */
int mh_sdes_find(const struct pl *name);


#endif /* MH_SDES_H */
