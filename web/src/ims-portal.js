/* Copyright (C) the IMS portal authors */

/*
 * The portal as a page sees it: one login, one registration, calls and
 * messages.
 *
 * What runs where: session.js asks who we are, socket.js keeps one SIP
 * transport over many WebSockets, JsSIP speaks SIP on it, call.js wraps its
 * sessions.  This file decides when to connect, register, renew and give up.
 *
 * Timers: the next try (#retry), the token's renewal (#renewal), and the end
 * of the patience with a lost socket while there are calls (#patience).
 */

import JsSIP from 'jssip';

import { firstValue, normalizeTarget, parseParty } from './address.js';
import { afterClose, backoff, renewIn } from './backoff.js';
import { Call } from './call.js';
import { causeOf, explain } from './causes.js';
import { takeInstance } from './instance.js';
import { SessionError, fetchSession } from './session.js';
import { PortalSocket } from './socket.js';

export { Call } from './call.js';
export { SessionError } from './session.js';


/** TS 24.229 section 5.1.1.2.1, TS 24.173: IMS multimedia telephony. */
const MMTEL = 'urn:urn-7:3gpp-service.ims.icsi.mmtel';

/** ms: JsSIP's own, timer F, and a bit. */
const REGISTER_TIMEOUT = 34000;

const DEFAULTS = {
    session: '/ims/session',
    token: null,
    renew: null,
    credentials: 'same-origin',
    audio: true,
    gatherMs: 500,
    registerExpires: 600,
    patience: 60,
};


/** An error with a short word: `code` is a SIP or HTTP status, or 0. */
export class PortalError extends Error {
    constructor(cause, code = 0, text = explain(cause)) {
        super(text);
        this.name = 'PortalError';
        this.reason = cause;
        this.code = code;
    }
}


/**
 * Events:
 *   `state`           {state, previous, text}
 *   `identity`        {identity, number, aliases, user, domain}
 *   `incoming`        {call}
 *   `message`         {from, text, contentType}
 *   `token-expiring`  {seconds}: nobody renewed the token so far
 *   `error`           {reason, code, text}
 *
 * States: offline, connecting, registered, refused, token-expired.
 */
export class ImsPortal extends EventTarget {
    #options;
    #state = 'offline';
    #session = null;
    #token = null;
    #instance = null;
    #ua = null;
    #socket = null;
    #calls = new Set();
    #attempt = 0;
    #wanted = false;
    #starting = null;
    #retry = null;
    #renewal = null;
    #patience = null;
    #generation = 0;

    /**
     * @param {object} [options]
     * @param {string} [options.session]   URL of the session API
     * @param {() => Promise<string>} [options.token]  gives the login token,
     *   where it is not in a cookie: sent as Bearer to the session API and
     *   in SIP
     * @param {(session: object) => Promise<void>} [options.renew]  called
     *   shortly before the token ends: refresh the cookie
     * @param {string} [options.credentials]  of fetch()
     * @param {boolean|MediaTrackConstraints} [options.audio]
     * @param {number} [options.gatherMs]  longest wait for an ICE candidate
     * @param {number} [options.registerExpires]  seconds
     * @param {number} [options.patience]  seconds a call outlives its socket
     */
    constructor(options = {}) {
        super();
        this.#options = { ...DEFAULTS, ...options };
    }

    get state() {
        return this.#state;
    }

    /** The session API's answer, or null. */
    get session() {
        return this.#session;
    }

    /** Calls that have not ended. @type {Call[]} */
    get calls() {
        return [...this.#calls];
    }

    /**
     * Gets the session, connects and registers.
     *
     * Temporary trouble is retried for as long as it takes.
     *
     * @returns {Promise<void>} when registered
     * @throws {PortalError} refused, or the token has ended
     */
    start() {
        if (this.#state === 'registered') {
            return Promise.resolve();
        }

        if (this.#starting === null) {
            const starting = {};

            starting.promise = new Promise((resolve, reject) => {
                starting.resolve = resolve;
                starting.reject = reject;
            });

            /* Who only listens to events need not catch it as well. */
            starting.promise.catch(() => {});

            this.#starting = starting;
            this.#wanted = true;
            this.#attempt = 0;
            this.#setState('connecting');
            this.#listenToPage(true);
            this.#connect(true);
        }

        return this.#starting.promise;
    }

    /**
     * Ends calls, un-registers and closes the socket.
     *
     * @returns {Promise<void>} when done, two seconds at most
     */
    async stop() {
        const ua = this.#ua;

        this.#wanted = false;
        this.#generation++;
        this.#listenToPage(false);
        this.#clearTimers();
        this.#settleStart(new PortalError('cancelled'));

        for (const call of this.#calls) {
            call.hangup();
        }

        if (ua !== null) {
            if (this.#socket.live && ua.isRegistered()) {
                await unregister(ua, 2000);
            }

            if (this.#ua === ua) {
                this.#closeUa();
            }
        }

        this.#instance?.then(({ free }) => free());
        this.#instance = null;
        this.#setState('offline');
    }

    /**
     * Calls somebody.
     *
     * @param {string} target  number, name, user@host or SIP URI
     * @param {{video?: boolean}} [options]
     * @returns {Call}
     * @throws {TypeError} not an address
     * @throws {PortalError} not registered
     */
    call(target, options = {}) {
        const uri = normalizeTarget(target, this.#session?.domain);

        this.#mustBeRegistered();

        const session = this.#ua.call(uri, {
            ...this.#media(options),
            extraHeaders: [`P-Preferred-Service: ${MMTEL}`],
        });

        return this.#adopt(session, {
            direction: 'outgoing', target: uri, video: options.video,
        });
    }

    /**
     * Sends a text (SIP MESSAGE).
     *
     * @param {string} target  as for call()
     * @param {string} text
     * @returns {Promise<void>} when the far side, or its server, took it
     * @throws {TypeError} not an address
     * @throws {PortalError} not registered, or refused with a SIP status
     */
    async message(target, text) {
        const uri = normalizeTarget(target, this.#session?.domain);

        this.#mustBeRegistered();

        await new Promise((resolve, reject) => {
            this.#ua.sendMessage(uri, text, {
                contentType: 'text/plain;charset=UTF-8',
                eventHandlers: {
                    succeeded: () => resolve(),
                    failed: ({ response, cause }) => {
                        const code = response?.status_code ?? 0;

                        reject(new PortalError(causeOf(code, cause), code));
                    },
                },
            });
        });
    }

    /**
     * Renews the token now: asks the `token` or `renew` hook and the session
     * API, then registers again.  After "token-expired" it starts again.
     *
     * @returns {Promise<boolean>} false: the token is still the old one
     */
    async renew() {
        if (this.#state === 'token-expired' || this.#state === 'refused') {
            await this.start();
            return true;
        }

        const before = this.#session?.expires ?? 0;

        await this.#options.renew?.(this.#session);
        await this.#fetch();

        if (this.#ua === null && this.#wanted) {
            this.#tryAgain(0, false);
            return true;
        }

        if (this.#session.expires <= before) {
            return false;
        }

        this.#ua?.register();

        return true;
    }

    /* Connecting. */

    async #connect(askSession) {
        const generation = ++this.#generation;
        let instance;

        clearTimeout(this.#retry);

        try {
            if (askSession || this.#session === null) {
                await this.#fetch();
            }

            this.#instance ??= takeInstance();
            instance = await this.#instance;

        } catch (error) {
            if (generation === this.#generation && this.#wanted) {
                this.#sessionFailed(error);
            }

            return;
        }

        if (generation !== this.#generation || !this.#wanted) {
            return;
        }

        if (this.#ua === null) {
            this.#openUa(instance.id);
            this.#ua.start();

        } else {
            this.#socket.url = this.#session.websocket;
            this.#socket.connect();
        }
    }

    async #fetch() {
        const options = this.#options;

        this.#token = options.token ? await options.token() : null;

        const session = await fetchSession(options.session, {
            token: this.#token, credentials: options.credentials,
        });
        const other = session.identity !== this.#session?.identity;

        /* Another user logged in here: nothing of the old one may stay. */
        if (other && this.#ua !== null) {
            this.#abandonCalls();
            this.#closeUa();
        }

        this.#session = session;

        if (this.#token !== null) {
            this.#ua?.set('authorization_jwt', `Bearer ${this.#token}`);
        }

        if (other) {
            const { identity, aliases, user, domain } = session;
            const { number } = parseParty(aliases.find((a) => /^tel:/.test(a))
                                          ?? identity, domain);

            this.#emit('identity', { identity, number, aliases, user,
                                     domain });
        }

        this.#armRenewal();
    }

    #sessionFailed(error) {
        const status = error instanceof SessionError ? error.status : 0;

        if (status === 401) {
            this.#giveUp('token-expired', 'unauthorized', 401, error.message);

        } else if (status >= 400 && status < 500
                   && status !== 408 && status !== 429)
        {
            this.#giveUp('refused', 'forbidden', status, error.message);

        } else {
            this.#emit('error', { reason: status ? 'overload' : 'connection',
                                  code: status, text: error.message });
            this.#tryAgain(Math.max(backoff(++this.#attempt),
                                    (error.retryAfter ?? 0) * 1000), true);
        }
    }

    #tryAgain(delay, askSession) {
        clearTimeout(this.#retry);
        this.#setState('connecting');
        this.#retry = setTimeout(() => this.#connect(askSession), delay);
    }

    #giveUp(state, reason, code, text) {
        this.#generation++;
        this.#clearTimers();
        this.#socket?.drop();
        this.#ua?.registrator().onTransportClosed();
        this.#setState(state, text);
        this.#emit('error', { reason, code, text });

        if (state === 'refused') {
            this.#abandonCalls();
        }

        this.#settleStart(new PortalError(reason, code, text));
    }

    #settleStart(error) {
        const starting = this.#starting;

        this.#starting = null;

        if (error) {
            starting?.reject(error);

        } else {
            starting?.resolve();
        }
    }

    /* The SIP user agent. */

    #openUa(instance) {
        const socket = new PortalSocket(this.#session.websocket);
        const ua = new JsSIP.UA({
            sockets: socket,
            uri: this.#session.identity,
            register: false,
            register_expires: this.#options.registerExpires,
            instance_id: instance,
            authorization_jwt: this.#token ? `Bearer ${this.#token}` : null,
            session_timers: true,
            user_agent: 'ims-portal',
        });

        ua.registrator().setExtraContactParams({
            '+g.3gpp.icsi-ref': `"${encodeURIComponent(MMTEL)}"`,
        });

        socket.onup = () => {
            ua.register();

            /* JsSIP passes over a 200 that does not name its Contact. */
            this.#retry = setTimeout(() => this.#onRegisterFailed(408),
                                     REGISTER_TIMEOUT);
        };
        socket.ondown = (close) => this.#onDown(close);

        ua.on('registered', () => this.#onRegistered());
        ua.on('registrationFailed', ({ response }) =>
            this.#onRegisterFailed(response?.status_code ?? 0, response));
        ua.on('newRTCSession', (e) => this.#onSession(e));
        ua.on('newMessage', (e) => this.#onMessage(e));

        this.#ua = ua;
        this.#socket = socket;
    }

    #closeUa() {
        this.#ua.removeAllListeners();
        this.#ua.stop();
        this.#socket.onup = this.#socket.ondown = () => {};
        this.#socket.disconnect();
        this.#ua = null;
        this.#socket = null;
        this.#session = null;
    }

    #onRegistered() {
        const fresh = this.#state !== 'registered';

        this.#attempt = 0;
        clearTimeout(this.#retry);
        clearTimeout(this.#patience);
        this.#patience = null;
        this.#socket.release();
        this.#setState('registered');
        this.#settleStart(null);

        for (const call of this.#calls) {
            call.recover(fresh);
        }
    }

    #onRegisterFailed(code, response) {
        /* The socket is gone: ondown() follows or has been. */
        if (!this.#wanted || !this.#socket?.live) {
            return;
        }

        if (code === 401 || code === 407) {
            this.#tokenEnded();

        } else if (code === 403 || code === 404) {
            this.#giveUp('refused', 'forbidden', code,
                         'The service refused this user.');

        } else {
            const after = Number(response?.getHeader('Retry-After')) || 0;
            const reason = code ? causeOf(code) : 'connection';
            const text = code ? `The service is not ready (${code}).`
                              : 'The service does not answer.';

            this.#emit('error', { reason, code, text });
            this.#socket.drop();
            this.#ua.registrator().onTransportClosed();
            this.#startPatience();
            this.#tryAgain(Math.max(backoff(++this.#attempt), after * 1000),
                           true);
        }
    }

    #onDown(close) {
        if (!this.#wanted) {
            return;
        }

        this.#ua.registrator().onTransportClosed();

        const next = afterClose(close, ++this.#attempt);

        switch (next.action) {

        case 'token':
            this.#tokenEnded();
            break;

        case 'refused':
            this.#giveUp('refused', 'forbidden', close.code,
                         close.reason || 'The service refused this user.');
            break;

        default:
            this.#startPatience();
            this.#tryAgain(next.delay, next.session);
        }
    }

    /*
     * One try for a new token where the page gave a way to get one; no
     * storm if the new one is not liked either.
     */
    async #tokenEnded() {
        const text = 'Your login has ended. Please log in again.';
        const { token, renew } = this.#options;

        if ((!token && !renew) || this.#attempt > 2) {
            this.#giveUp('token-expired', 'unauthorized', 401, text);
            return;
        }

        this.#attempt++;
        this.#generation++;
        this.#socket.drop();
        this.#ua.registrator().onTransportClosed();
        this.#setState('connecting');

        try {
            await renew?.(this.#session);

        } catch {
            this.#giveUp('token-expired', 'unauthorized', 401, text);
            return;
        }

        if (this.#wanted) {
            this.#connect(true);
        }
    }

    /* A call whose socket stays away is over: the portal ends it too. */
    #startPatience() {
        if (this.#calls.size > 0 && this.#patience === null) {
            this.#patience = setTimeout(() => {
                this.#patience = null;
                this.#abandonCalls();
            }, this.#options.patience * 1000);
        }
    }

    #abandonCalls() {
        for (const call of this.#calls) {
            call.abandon();
        }
    }

    /* The token. */

    #armRenewal() {
        const end = this.#session.expires_at;

        clearTimeout(this.#renewal);

        if (!end) {
            return;
        }

        /* setTimeout() counts to 2^31 ms. */
        const delay = Math.min(renewIn(end - Date.now()), 0x7fffffff);

        this.#renewal = setTimeout(() => this.#renewSoon(), delay);
    }

    async #renewSoon() {
        const end = this.#session?.expires_at ?? 0;
        let renewed = false;

        try {
            renewed = await this.renew();

        } catch {
            /* The server has the last word: 4401 when the token ends. */
        }

        if (!renewed && this.#wanted) {
            const left = end - Date.now();

            /* #fetch() armed it for the same end: once more in between. */
            clearTimeout(this.#renewal);

            if (left > 0) {
                this.#emit('token-expiring',
                           { seconds: Math.round(left / 1000) });
            }

            if (left > 4000) {
                this.#renewal = setTimeout(() => this.#renewSoon(), left / 2);
            }
        }
    }

    /* Calls and messages. */

    #media({ video = false }) {
        return {
            mediaConstraints: { audio: this.#options.audio, video },
            pcConfig: {
                iceServers: this.#session.ice_servers,
                bundlePolicy: 'max-bundle',
                rtcpMuxPolicy: 'require',
            },

            /* JsSIP's 90 s is below what many networks take (RFC 4028). */
            sessionTimersExpires: 1800,
        };
    }

    #adopt(session, options) {
        const call = new Call(session, {
            ...options,
            domain: this.#session.domain,
            gatherMs: this.#options.gatherMs,
            media: (wish) => this.#media(wish),
        });

        this.#calls.add(call);
        call.addEventListener('state', () => {
            if (call.ended) {
                this.#calls.delete(call);
            }
        });

        return call;
    }

    #onSession({ originator, session, request }) {
        if (originator === 'remote') {
            const call = this.#adopt(session,
                                     { direction: 'incoming', request });

            this.#emit('incoming', { call });
        }
    }

    #onMessage({ originator, request }) {
        if (originator !== 'remote') {
            return;
        }

        const asserted = request.getHeader('P-Asserted-Identity');
        const from = asserted ? firstValue(asserted)
                              : request.getHeader('From');

        this.#emit('message', {
            from: parseParty(from, this.#session.domain),
            text: request.body ?? '',
            contentType: (request.getHeader('Content-Type') ?? 'text/plain')
                         .split(';')[0].trim().toLowerCase(),
        });
    }

    /* The page. */

    #listenToPage(on) {
        const page = globalThis.window;

        if (!page?.addEventListener) {
            return;
        }

        for (const [type, listener] of this.#pageListeners) {
            if (on) {
                page.addEventListener(type, listener);

            } else {
                page.removeEventListener(type, listener);
            }
        }
    }

    #pageListeners = [
        /* Leaving: the close frame tells the portal to end calls now. */
        ['pagehide', () => {
            this.#generation++;
            this.#clearTimers();
            this.#socket?.drop(1000);
        }],

        /* Back from the back-forward cache: the calls are gone. */
        ['pageshow', (e) => {
            if (e.persisted && this.#wanted) {
                this.#abandonCalls();
                this.#ua?.registrator().onTransportClosed();
                this.#attempt = 0;
                this.#tryAgain(0, true);
            }
        }],

        ['online', () => this.#onOnline()],
    ];

    /*
     * Another network: the old socket may look alive for minutes.  Ask it;
     * if nothing at all comes back, take a new one.
     */
    #onOnline() {
        const socket = this.#socket;

        if (this.#state === 'connecting') {
            this.#tryAgain(0, true);
            return;
        }

        if (this.#state !== 'registered' || !socket?.live) {
            return;
        }

        const before = socket.received;

        this.#ua.register();

        setTimeout(() => {
            if (this.#socket === socket && socket.live
                && socket.received === before)
            {
                socket.drop();
                this.#onDown({ code: 1006, reason: '', opened: true });
            }
        }, 4000);
    }

    #mustBeRegistered() {
        if (this.#state !== 'registered') {
            throw new PortalError('connection', 0,
                                  'There is no connection to the service.');
        }
    }

    #clearTimers() {
        clearTimeout(this.#retry);
        clearTimeout(this.#renewal);
        clearTimeout(this.#patience);
        this.#patience = null;
    }

    #setState(state, text = '') {
        const previous = this.#state;

        if (previous !== state) {
            this.#state = state;
            this.#emit('state', { state, previous, text });
        }
    }

    #emit(type, detail) {
        this.dispatchEvent(new CustomEvent(type, { detail }));
    }
}


function unregister(ua, limit) {
    return new Promise((resolve) => {
        const timer = setTimeout(resolve, limit);

        ua.once('unregistered', () => {
            clearTimeout(timer);
            resolve();
        });
        ua.unregister();
    });
}
