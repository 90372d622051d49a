/* Copyright (C) the IMS portal authors */

/*
 * When to try again.
 */


/** WebSocket close codes that mean something here. */
export const CLOSE = {
    RESTART: 1012,      /* RFC 6455 registry: service restart */
    POLICY: 1008,       /* RFC 6455: this client is not wanted */
    TOKEN: 4401,        /* the portal: the token has ended */
    FORBIDDEN: 4403,    /* the portal: the user may not */
    AGAIN: 4408,        /* to the portal: a new socket follows this one */
    REPLACED: 4409,     /* the portal: another page is this instance now */
    LOST: 4410,         /* the portal: another user has the identity now */
    ENDED: 4411,        /* the portal: an administrator ended it */
    RELEASED: 4412,     /* the portal: the user gave the identity back */
};


const CLOSE_TEXT = {
    4403: 'Your access to the phone has been withdrawn.',
    4409: 'The phone is open in another window now.',
    4410: 'Your number was given to somebody else. Please log in again.',
    4411: 'An administrator has ended your session.',
    4412: 'You have logged out of the phone.',
};


/**
 * @param {number} code  of a close frame that refused
 * @returns {string} one sentence in plain words
 */
export function closeText(code) {
    return CLOSE_TEXT[code] ?? 'The service refused this user.';
}


/**
 * Delay before the next try: doubles from one second to half a minute, and
 * half of it is random, so that a thousand browsers do not come at once.
 *
 * @param {number} attempt  1 for the first failure
 * @param {() => number} [random]
 * @returns {number} ms, 500 to 30000
 */
export function backoff(attempt, random = Math.random) {
    const full = Math.min(30000, 1000 * 2 ** Math.min(attempt - 1, 10));

    return Math.round(full / 2 + full / 2 * random());
}


/**
 * What a closed socket asks for.
 *
 * @param {{code: number, opened: boolean}} close
 * @param {number} attempt  failures in a row, this one included
 * @param {() => number} [random]
 * @returns {{action: 'retry'|'token'|'refused'|'out', delay: number,
 *            session: boolean}}  session: ask the session API first, because
 *            a refused handshake shows no status
 */
export function afterClose(close, attempt, random = Math.random) {
    switch (close.code) {

    case CLOSE.TOKEN:
        return { action: 'token', delay: 0, session: true };

    case CLOSE.RELEASED:
        return { action: 'out', delay: 0, session: true };

    case CLOSE.POLICY:
    case CLOSE.FORBIDDEN:
    case CLOSE.REPLACED:
    case CLOSE.LOST:
    case CLOSE.ENDED:
        return { action: 'refused', delay: 0, session: true };

    case CLOSE.RESTART:
        if (attempt === 1) {
            return { action: 'retry', delay: Math.round(500 * random()),
                     session: false };
        }
    }

    /* A first loss of a good socket is tried again soon. */
    if (close.opened && attempt === 1) {
        return { action: 'retry', delay: Math.round(200 + 800 * random()),
                 session: false };
    }

    return { action: 'retry', delay: backoff(attempt, random),
             session: !close.opened };
}


/**
 * When to renew the token: after four fifths of what is left of it, half a
 * minute before its end at the latest, or at half of a very short life.
 *
 * @param {number} left  ms until the token ends
 * @returns {number} ms, not negative
 */
export function renewIn(left) {
    return Math.max(0, left - Math.max(left / 5, Math.min(30000, left / 2)));
}
