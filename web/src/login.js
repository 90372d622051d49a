/* Copyright (C) the IMS portal authors */

/*
 * The user's login as the portal needs it: the token or the cookie, what the
 * session API made of it, and that both stay fresh.
 *
 * Timers: the renewal of the token (#renewal), the credentials of the TURN
 * servers (#turn).
 */

import { renewIn } from './backoff.js';
import { SessionError, fetchSession } from './session.js';


/** setTimeout() counts to 2^31 ms. */
const LONGEST = 0x7fffffff;

/** ms before the same is tried once more. */
const AGAIN = 10000;


export class Login {
    #options;
    #hooks;
    #session = null;
    #token = null;
    #renewal = null;
    #turn = null;
    #turnEnd = 0;

    /**
     * @param {object} options  those of ImsPortal
     * @param {object} hooks
     * @param {() => Promise<boolean>} hooks.renew  the token ends soon
     * @param {(seconds: number) => void} hooks.expiring  nobody renewed it
     */
    constructor(options, hooks) {
        this.#options = options;
        this.#hooks = hooks;
    }

    /** What the session API said last, or null. */
    get session() {
        return this.#session;
    }

    /** The token as a SIP request has it, or null where a cookie holds it. */
    get bearer() {
        return this.#token === null ? null : `Bearer ${this.#token}`;
    }

    /** Can it get a fresh token by itself? */
    get renewable() {
        return Boolean(this.#options.token || this.#options.renew);
    }

    /** Does each WebSocket need a ticket of its own? */
    get ticketed() {
        return Boolean(this.#options.ticket);
    }

    /**
     * Asks the session API.
     *
     * @param {'POST'|'PUT'|'GET'} method  lease; renew; read
     * @returns {Promise<import('./session.js').Session>}
     * @throws {SessionError}
     */
    async ask(method = 'POST') {
        const { session, token, credentials, ticket } = this.#options;

        this.#token = token ? await token() : null;

        const how = { token: this.#token, credentials, ticket,
                      fetch: this.#options.fetch };

        if (method === 'PUT') {
            try {
                return await fetchSession(session, { ...how, method });

            } catch (error) {
                /* The lease is gone, or this portal knows POST only. */
                if (![404, 405].includes(error.status)) {
                    throw error;
                }
            }
        }

        return fetchSession(session,
                            { ...how, method: method === 'GET' ? 'GET'
                                                               : 'POST' });
    }

    /** An answer of ask() is the one that counts from now on. */
    take(session) {
        this.#session = session;
        this.#armRenewal();
        this.#armTurn();
    }

    /** Nothing of it counts any more; what the user is stays unknown. */
    forget() {
        this.#session = null;
    }

    stop() {
        clearTimeout(this.#renewal);
        clearTimeout(this.#turn);
    }

    /**
     * Has the cookie refreshed: by the page's hook, or at the login's URL.
     *
     * @throws {SessionError} the login refused
     */
    async refresh() {
        const { renew, credentials } = this.#options;

        if (typeof renew === 'function') {
            await renew(this.#session);

        } else if (renew) {
            await post(renew, credentials, this.#options.fetch);
        }
    }

    /**
     * Gives the identity back, so that another user can have it.
     *
     * @returns {Promise<void>} when done; failing is no matter: it ends anyway
     */
    async release() {
        const { session, token, credentials } = this.#options;

        try {
            await fetchSession(session, {
                method: 'DELETE', credentials, fetch: this.#options.fetch,
                token: token ? await token() : null,
            });

        } catch {
            /* The lease ends by itself. */
        }
    }

    /** For RTCPeerConnection; those that have ended are asked for anew. */
    get iceServers() {
        if (this.#turnEnd && this.#turnEnd < Date.now()) {
            this.#freshTurn();
        }

        return this.#session?.ice_servers ?? [];
    }

    #armRenewal() {
        const end = this.#session.expires_at;

        clearTimeout(this.#renewal);

        if (end) {
            const delay = Math.min(renewIn(end - Date.now()), LONGEST);

            this.#renewal = setTimeout(() => this.#renewSoon(), delay);
        }
    }

    async #renewSoon() {
        const end = this.#session?.expires_at ?? 0;
        let renewed = false;

        try {
            renewed = await this.#hooks.renew();

        } catch {
            /* The server has the last word: 4401 when the token ends. */
        }

        if (renewed || this.#session === null) {
            return;
        }

        const left = end - Date.now();

        /* take() armed it for the same end: once more in between. */
        clearTimeout(this.#renewal);

        if (left > 0) {
            this.#hooks.expiring(Math.round(left / 1000));
        }

        if (left > 4000) {
            this.#renewal = setTimeout(() => this.#renewSoon(),
                                       Math.min(left / 2, LONGEST));
        }
    }

    #armTurn() {
        const lives = this.#session.ice_servers.map((s) => Number(s.ttl))
                      .filter((ttl) => ttl > 0);

        clearTimeout(this.#turn);
        this.#turnEnd = 0;

        if (lives.length > 0) {
            const life = Math.min(...lives) * 1000;

            this.#turnEnd = Date.now() + life;
            this.#turn = setTimeout(() => this.#freshTurn(),
                                    Math.min(life * 0.8, LONGEST));
        }
    }

    async #freshTurn() {
        const before = this.#session;

        clearTimeout(this.#turn);
        this.#turnEnd = Date.now() + AGAIN;

        try {
            const { ice_servers } = await this.ask('GET');

            if (this.#session === before && before !== null) {
                this.#session = { ...before, ice_servers };
                this.#armTurn();
            }

        } catch {
            this.#turn = setTimeout(() => this.#freshTurn(), AGAIN);
        }
    }
}


async function post(url, credentials, fetch) {
    const send = fetch ?? ((...args) => globalThis.fetch(...args));
    const response = await send(url, {
        method: 'POST', body: '{}', cache: 'no-store', credentials,
        headers: { 'Content-Type': 'application/json' },
    }).catch(() => null);

    if (!response?.ok) {
        throw new SessionError(response?.status ?? 0,
                               'The login was not renewed.');
    }
}
