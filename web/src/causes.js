/* Copyright (C) the IMS portal authors */

/*
 * Why a call ended: one short word for programs, one sentence for people.
 */


/**
 * SIP status code to cause (RFC 3261 section 21, RFC 5626, RFC 3326; 380 is
 * what an IMS says to emergency calls that it does not carry).
 */
const BY_CODE = {
    380: 'emergency',
    401: 'unauthorized', 403: 'forbidden', 404: 'not-found', 407: 'forbidden',
    408: 'no-answer', 410: 'not-found', 415: 'media', 430: 'unavailable',
    480: 'unavailable', 484: 'incomplete', 486: 'busy', 487: 'cancelled',
    488: 'media', 500: 'server', 503: 'overload', 504: 'no-answer',
    600: 'busy', 603: 'rejected', 604: 'not-found', 606: 'media',
};


/** What JsSIP calls the ends that have no status code. */
const BY_JSSIP = {
    'Terminated': 'hangup', 'Canceled': 'cancelled', 'Rejected': 'rejected',
    'Busy': 'busy', 'No Answer': 'no-answer', 'Expires': 'no-answer',
    'User Denied Media Access': 'microphone', 'WebRTC Error': 'media',
    'Bad Media Description': 'media', 'Incompatible SDP': 'media',
    'Missing SDP': 'media', 'RTP Timeout': 'media-lost',
    'Connection Error': 'connection', 'Request Timeout': 'no-answer',
    'No ACK': 'connection', 'Dialog Error': 'connection',
};


const SENTENCES = {
    'hangup': 'The call has ended.',
    'cancelled': 'The call was cancelled.',
    'elsewhere': 'The call was answered on another device.',
    'busy': 'The other side is busy.',
    'rejected': 'The call was declined.',
    'no-answer': 'Nobody answered.',
    'not-found': 'There is no such number.',
    'incomplete': 'The number is not complete.',
    'emergency': 'Emergency calls are not possible here, use a telephone.',
    'limit': 'Too many calls. Please try again later.',
    'unavailable': 'The other side cannot be reached now.',
    'forbidden': 'This call is not allowed.',
    'unauthorized': 'The login is not valid for calls.',
    'overload': 'The service is busy. Please try again in a moment.',
    'server': 'The service failed. Please try again.',
    'media': 'The two sides found no common way to talk.',
    'media-lost': 'The sound connection was lost.',
    'microphone': 'The microphone cannot be used. Please allow it in the '
                  + 'browser and try again.',
    'connection': 'The connection to the service was lost.',
    'error': 'The call failed.',
};


/**
 * @param {number} code     SIP status code, 0 if there is none
 * @param {string} [jssip]  JsSIP's cause
 * @returns {string} a key of the table of sentences
 */
export function causeOf(code, jssip) {
    if (code >= 300) {
        return BY_CODE[code]
               ?? (code >= 600 ? 'rejected' : code >= 500 ? 'server' : 'error');
    }

    return BY_JSSIP[jssip] ?? 'error';
}


/**
 * Of a BYE from there: the portal ends calls, too, and tells why.
 *
 * @param {object|null} reason  from parseReason()
 * @returns {string} as causeOf()
 */
export function causeOfBye(reason) {
    if (reason?.protocol !== 'SIP') {
        return 'hangup';
    }

    if (reason.cause === 503 && /^(media lost|no media)$/.test(reason.text)) {
        return 'media-lost';
    }

    return reason.cause === 488 ? 'media' : 'hangup';
}


/**
 * The portal's word that a user has reached a limit; the status alone does not
 * tell that from what the called side says.
 *
 * @param {string} [warning]  a Warning header
 * @returns {boolean}
 */
export function isLimit(warning) {
    return /^399 portal "too many /.test(warning ?? '');
}


/**
 * @param {string} cause  from causeOf()
 * @returns {string} one sentence in plain words
 */
export function explain(cause) {
    return SENTENCES[cause] ?? SENTENCES.error;
}


/**
 * Reads a Reason header (RFC 3326).
 *
 * @param {string} value
 * @returns {{protocol: string, cause: number, text: string}|null}
 */
export function parseReason(value) {
    const m = /^\s*([A-Za-z0-9.]+)\s*(;.*)?$/.exec(value ?? '');
    const cause = /;\s*cause\s*=\s*([0-9]{1,3})/i.exec(m?.[2] ?? '');
    const text = /;\s*text\s*=\s*"([^"]*)"/i.exec(m?.[2] ?? '');

    if (!m || !cause) {
        return null;
    }

    return {
        protocol: m[1].toUpperCase(),
        cause: Number(cause[1]),
        text: text ? text[1] : '',
    };
}
