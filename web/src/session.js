/* Copyright (C) the IMS portal authors */

/*
 * The session API: who am I, where do I connect, how long may I.
 */

import { parseParty } from './address.js';


/** ms to wait for an answer. */
const TIMEOUT = 10000;


/**
 * @typedef {object} Session
 * @property {string} identity   own address of record, a SIP URI
 * @property {string[]} aliases  other URIs of the same subscription
 * @property {string} domain     home domain
 * @property {string} user       login name
 * @property {string} websocket  where to connect
 * @property {number} expires    end of the token, Unix seconds
 * @property {number} expires_in the same, seconds from now
 * @property {RTCIceServer[]} ice_servers  each may have a `ttl` in seconds
 * @property {string} [ticket]  for one WebSocket, if it was asked for
 */


/** An answer of the session API that is not a session. */
export class SessionError extends Error {
    /**
     * @param {number} status      HTTP status, 0 when there was no answer
     * @param {string} message     for people
     * @param {number} retryAfter  seconds, 0 when not given
     */
    constructor(status, message, retryAfter = 0) {
        super(message);
        this.name = 'SessionError';
        this.status = status;
        this.retryAfter = retryAfter;
    }
}


/**
 * Asks for the session; POST leases an identity if there is none yet, PUT
 * renews it, GET reads it, DELETE gives it back.
 *
 * @param {string} url
 * @param {object} [options]
 * @param {string} [options.method]  POST when not given
 * @param {boolean} [options.ticket]  with a ticket for the WebSocket
 * @param {string} [options.token]  sent as Bearer
 * @param {string} [options.credentials]  as in fetch()
 * @param {typeof fetch} [options.fetch]  for tests
 * @returns {Promise<Session|null>}  null of DELETE
 * @throws {SessionError}
 */
export async function fetchSession(url, options = {}) {
    const headers = { Accept: 'application/json' };
    const send = options.fetch ?? ((...args) => globalThis.fetch(...args));
    let response;

    if (options.token) {
        headers.Authorization = `Bearer ${options.token}`;
    }

    if (options.ticket) {
        headers.Prefer = 'ticket';
    }

    try {
        response = await send(url, {
            method: options.method ?? 'POST', headers, cache: 'no-store',
            credentials: options.credentials ?? 'same-origin',
            signal: AbortSignal.timeout(TIMEOUT),
        });

    } catch {
        throw new SessionError(0, 'The service cannot be reached.');
    }

    const body = await response.json().catch(() => null);

    if (!response.ok) {
        throw new SessionError(response.status,
            body?.detail ?? body?.title ?? `HTTP status ${response.status}`,
            Number(response.headers.get('Retry-After')) || 0);
    }

    return options.method === 'DELETE' ? null : checkSession(body);
}


function checkSession(body) {
    const ok = body !== null && typeof body === 'object'
               && /^sips?:[^\s<>"]+@[^\s<>"]+$/.test(body.identity)
               && /^wss?:\/\//.test(body.websocket);

    if (!ok) {
        throw new SessionError(0, 'The session API gave no session.');
    }

    const hostOf = body.identity.split('@')[1].split(/[;:?]/)[0];
    const left = Number(body.expires_in);

    return {
        ...body,
        aliases: Array.isArray(body.aliases) ? body.aliases : [],
        domain: body.domain || hostOf,
        ice_servers: Array.isArray(body.ice_servers) ? body.ice_servers : [],

        /* The browser's clock may be wrong: count from now where we can. */
        expires_at: left > 0 ? Date.now() + left * 1000
                             : Number(body.expires) * 1000 || 0,
    };
}


/**
 * Who we are: the number is that of a tel: alias where there is one.
 *
 * @param {Session} session
 */
export function identityOf({ identity, aliases, user, domain }) {
    const { number } = parseParty(aliases.find((a) => /^tel:/.test(a))
                                  ?? identity, domain);

    return { identity, number, aliases, user, domain };
}
