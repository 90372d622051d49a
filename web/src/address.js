/* Copyright (C) the IMS portal authors */

/*
 * Addresses: what a person types becomes a SIP URI, what the network sends
 * becomes something to show, and tel: URIs are carried past JsSIP, whose
 * grammar drops every message with one in From or To.
 */


/** Separators people write in numbers (RFC 3966 section 5.1.1, and blanks). */
const SEPARATORS = /[\s\u00a0\-.()/]/g;

const GLOBAL_NUMBER = /^\+[0-9]{3,15}$/;
const LOCAL_NUMBER = /^[0-9*#]{1,24}$/;
const SIP_URI = /^sips?:[^\s<>"@]+@[^\s<>"@]+$/i;
const USER_AT_HOST = /^[^\s<>"@:]+@[A-Za-z0-9.[\]:-]+$/;
const NAME = /^(?=.*[A-Za-z])[A-Za-z0-9][A-Za-z0-9._~!$&'=-]{0,63}$/;


/**
 * Turns what was typed into a SIP URI.
 *
 * "+49 30 123" becomes `sip:+4930123@DOMAIN;user=phone` (RFC 3261 section
 * 19.1.6), "2001" and "*21#" become `sip:2001@DOMAIN` and
 * `sip:*21%23@DOMAIN`: short codes are for the portal's dial plan.  A name
 * gets the domain, a SIP URI stays as it is.
 *
 * @param {string} input   number, name, user@host, sip: or tel: URI
 * @param {string} domain  the home domain, from the session
 * @returns {string} a SIP URI
 * @throws {TypeError} when nobody can be reached under that
 */
export function normalizeTarget(input, domain) {
    let text = String(input ?? '').trim();

    if (SIP_URI.test(text)) {
        return text.replace(/^sips?/i, 'sip');
    }

    if (USER_AT_HOST.test(text)) {
        return `sip:${text}`;
    }

    /* A tel: URI may carry parameters; the dial plan knows the context. */
    if (/^tel:/i.test(text)) {
        text = text.slice(4).split(';')[0];
    }

    const number = text.replace(SEPARATORS, '');

    if (GLOBAL_NUMBER.test(number)) {
        return `sip:${number}@${domain};user=phone`;
    }

    if (LOCAL_NUMBER.test(number)) {
        return `sip:${number.replace(/#/g, '%23')}@${domain}`;
    }

    if (NAME.test(text)) {
        return `sip:${text}@${domain}`;
    }

    throw new TypeError(`"${input}" is neither a number nor an address`);
}


/**
 * @typedef {object} Party
 * @property {string} uri     the URI, without parameters
 * @property {string} number  what to show and to call back: a number, or
 *                            user@host
 * @property {string} name    display name, may be empty
 */

/**
 * Reads a name-addr or addr-spec header value (From, P-Asserted-Identity).
 *
 * @param {string} value   one header value
 * @param {string} [domain]  own domain: left out of `number`
 * @returns {Party}
 */
export function parseParty(value, domain) {
    const text = unmaskTel(String(value ?? '')).trim();
    const m = /^(?:"((?:[^"\\]|\\.)*)"|([^<"]*))\s*<([^>]*)>/.exec(text);
    const full = m ? m[3] : text.split(';')[0];
    const name = m ? (m[1] ?? m[2]).replace(/\\(.)/g, '$1').trim() : '';
    const uri = full.split(/[;?]/)[0];
    const rest = uri.replace(/^[a-z]+:/i, '');
    const at = rest.lastIndexOf('@');
    const user = decode(at < 0 ? rest : rest.slice(0, at));
    const host = at < 0 ? '' : rest.slice(at + 1);
    const bare = /^\+?[0-9*#]+$/.test(user) || host === '' || host === domain;

    return { uri, number: bare ? user : `${user}@${host}`, name };
}


/** The first value of a header that may list several, quotes respected. */
export function firstValue(value) {
    const m = /^(?:"(?:[^"\\]|\\.)*"|<[^>]*>|[^,"<])*/.exec(value ?? '');

    return m[0].trim();
}


function decode(text) {
    try {
        return decodeURIComponent(text);

    } catch {
        return text;
    }
}


/*
 * tel: URIs.  Inside JsSIP `tel:+15550199` is called
 * `sip:HEX-OF-THE-URI@tel.invalid`.  Nothing is remembered: the way back is
 * in the name, so responses and requests in a dialog carry the very URI the
 * network chose.
 */

const TEL_URI = /^tel:[0-9A-Za-z+*#()._~%;=:/?&$[\]!',-]+$/;


/**
 * Hides tel: URIs in From and To of a received message.
 *
 * @param {string} message  a SIP message
 * @returns {string}
 */
export function maskTel(message) {
    return inHeaders(message, (head) => head.replace(
        /^((?:from|to|f|t)[ \t]*:[^\r\n]*?)(<tel:[^>\r\n]+>|\btel:[^;\s>]+)/gim,
        (all, before, found) => {
            const uri = found.replace(/^<|>$/g, '');
            const masked = `sip:${toHex(uri)}@tel.invalid`;

            return before + (found[0] === '<' ? `<${masked}>` : masked);
        }));
}


/**
 * Undoes maskTel() in a message to be sent, or in a header value.
 *
 * @param {string} message
 * @returns {string}
 */
export function unmaskTel(message) {
    return inHeaders(message, (head) => head.replace(
        /sip:([0-9a-f]+)@tel\.invalid/gi,
        (all, hex) => {
            const uri = fromHex(hex);

            /* Anybody may write that domain: only a plain URI comes back. */
            return TEL_URI.test(uri) ? uri : all;
        }));
}


/**
 * Takes a Contact that is no SIP URI out of a refusal, as an emergency call's
 * 380 has it (`urn:service:sos`) or a 302 to a number.  JsSIP drops a message
 * with one whole, so the call would never end, and has no use for it.
 *
 * @param {string} message  a SIP message
 * @returns {string}
 */
export function dropContact(message) {
    if (!/^SIP\/2\.0 [3-6]/.test(message)) {
        return message;
    }

    return inHeaders(message, (head) => head.replace(
        /\r\n(?:contact|m)[ \t]*:[^\r\n]*(?:\r\n[ \t][^\r\n]*)*/gi,
        (line) => (/<sips?:/i.test(line) && !/<(?!sips?:)/i.test(line)
                   ? line : '')));
}


function inHeaders(message, edit) {
    const end = message.indexOf('\r\n\r\n');

    if (end < 0) {
        return edit(message);
    }

    return edit(message.slice(0, end)) + message.slice(end);
}


function toHex(text) {
    return Array.from(text, (c) =>
        c.charCodeAt(0).toString(16).padStart(2, '0')).join('');
}


function fromHex(hex) {
    return (hex.match(/../g) ?? []).map((pair) =>
        String.fromCharCode(parseInt(pair, 16))).join('');
}
