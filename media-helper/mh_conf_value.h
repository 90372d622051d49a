
/*
 * Copyright (C) the IMS portal authors
 */


/* Values that several options have: numbers and addresses. */


#ifndef MH_CONF_VALUE_H
#define MH_CONF_VALUE_H


#include <stdint.h>

#include <re.h>


/*
 * Reads a decimal number, digits alone.
 *
 * @param value  the text of the option
 * @param max    the greatest number allowed
 * @param n      out, as it was on error
 *
 * @return NULL, or what is wrong with the value
 */
const char *mh_conf_number(const char *value, unsigned max, unsigned *n);

/*
 * Reads addresses, separated by a comma; an IPv6 address in brackets where a
 * port follows.  Refused: any, link-local, the same one twice.
 *
 * @param value  the text of the option
 * @param addrs  room for MH_WEB_SOCKS addresses, without a port
 * @param n      out: how many
 * @param port   the port behind the last address, as it was if there is none;
 *               NULL if none is accepted
 *
 * @return NULL, or what is wrong with the value
 */
const char *mh_conf_addrs(const char *value, struct sa *addrs, unsigned *n,
    uint16_t *port);


#endif /* MH_CONF_VALUE_H */
