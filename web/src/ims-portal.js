/* Copyright (C) the IMS portal authors */

/*
 * The portal as a page sees it: one login, one registration, calls and
 * messages.
 *
 * What runs where: session.js asks who we are, login.js keeps that fresh,
 * socket.js keeps one SIP transport over many WebSockets, JsSIP speaks SIP on
 * it, call.js wraps its sessions.  This file decides when to connect, register
 * and give up.
 *
 * Timers: the next try (#retry), and the end of the patience with a lost
 * socket while there are calls (#patience).
 */

import { normalizeTarget } from './address.js';
import { MMTEL, makeAgent, sendText, textOf, unregister } from './agent.js';
import { afterClose, backoff, closeText } from './backoff.js';
import { Call } from './call.js';
import { causeOf } from './causes.js';
import { PortalError } from './error.js';
import { takeInstance } from './instance.js';
import { Login } from './login.js';
import { Page } from './page.js';
import { SessionError, identityOf } from './session.js';

export { Call } from './call.js';
export { PortalError } from './error.js';
export { SessionError } from './session.js';


/** ms: JsSIP's own, timer F, and a bit. */
const REGISTER_TIMEOUT = 34000;

const LOGGED_OUT = 'Your login has ended. Please log in again.';

const DEFAULTS = {
    session: '/ims/session',
    token: null,
    renew: null,
    ticket: false,
    credentials: 'same-origin',
    audio: true,
    gatherMs: 500,
    registerExpires: 600,
    patience: 60,
};


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
    #login;
    #instance = null;
    #ua = null;
    #socket = null;
    #calls = new Set();
    #attempt = 0;
    #wanted = false;
    #starting = null;
    #retry = null;
    #patience = null;
    #generation = 0;

    /**
     * @param {object} [options]
     * @param {string} [options.session]   URL of the session API
     * @param {() => Promise<string>} [options.token]  gives the login token,
     *   where it is not in a cookie: sent as Bearer to the session API and
     *   in SIP
     * @param {string|((session: object) => Promise<void>)} [options.renew]
     *   how the cookie is refreshed before the token ends: a URL of the login,
     *   which gets a POST, or a function
     * @param {boolean} [options.ticket]  open the WebSocket with a ticket of
     *   the session API: for pages whose cookie or token does not get there
     * @param {string} [options.credentials]  of fetch()
     * @param {boolean|MediaTrackConstraints} [options.audio]
     * @param {number} [options.gatherMs]  longest wait for an ICE candidate
     * @param {number} [options.registerExpires]  seconds
     * @param {number} [options.patience]  seconds a call outlives its socket
     */
    constructor(options = {}) {
        super();
        this.#options = { ...DEFAULTS, ...options };
        this.#login = new Login(this.#options, {
            renew: () => this.renew(),
            expiring: (seconds) => {
                if (this.#wanted) {
                    this.#emit('token-expiring', { seconds });
                }
            },
        });
    }

    get state() {
        return this.#state;
    }

    /** The session API's answer, or null. */
    get session() {
        return this.#login.session;
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
            this.#page.listen(true);
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
        this.#page.listen(false);
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
     * The same, and gives the identity back: for a log-out, before the site
     * takes its cookie away.
     *
     * @returns {Promise<void>} when done
     */
    async logout() {
        await this.stop();
        await this.#login.release();
        this.#login.forget();
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
        const uri = normalizeTarget(target, this.session?.domain);

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
        const uri = normalizeTarget(target, this.session?.domain);

        this.#mustBeRegistered();

        await sendText(this.#ua, uri, text);
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

        const before = this.session?.expires ?? 0;

        await this.#login.refresh();
        await this.#fetch('PUT');

        if (this.#ua === null && this.#wanted) {
            this.#tryAgain(0, false);
            return true;
        }

        if (this.session.expires <= before) {
            return false;
        }

        if (this.#socket?.live) {
            this.#ua.register();
        }

        return true;
    }

    /* Connecting. */

    async #connect(askSession) {
        const generation = ++this.#generation;
        let instance;

        clearTimeout(this.#retry);

        try {
            if (askSession || this.session === null
                || this.#login.ticketed)
            {
                await this.#fetch('POST');
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
            this.#socket.url = this.session.websocket;
            this.#socket.ticket = this.session.ticket ?? null;
            this.#socket.connect();
        }
    }

    async #fetch(method) {
        const session = await this.#login.ask(method);
        const other = session.identity !== this.session?.identity;

        /* Another user logged in here: nothing of the old one may stay. */
        if (other && this.#ua !== null) {
            this.#abandonCalls();
            this.#closeUa();
        }

        this.#login.take(session);
        this.#ua?.set('authorization_jwt', this.#login.bearer);

        if (other) {
            this.#emit('identity', identityOf(session));
        }
    }

    #sessionFailed(error) {
        const status = error instanceof SessionError ? error.status : 0;

        if (status === 401) {
            this.#giveUp('token-expired', 'unauthorized', 401,
                         this.session ? LOGGED_OUT : error.message);

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

        /* Running calls finish: the portal closes the socket behind them. */
        if (state === 'refused' || this.#calls.size === 0) {
            this.#socket?.drop();
        }

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
        const { ua, socket } = makeAgent(this.session, {
            instance, bearer: this.#login.bearer,
            registerExpires: this.#options.registerExpires,
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
        ua.on('newMessage', ({ originator, request }) => {
            if (originator === 'remote') {
                this.#emit('message', textOf(request, this.session.domain));
            }
        });

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
        this.#login.forget();
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

        const ended = /"token ended"/.test(response?.getHeader('Warning'));

        if (code === 401 || code === 407 || ended) {
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
        /* Logged out, and now the last call is over. */
        if (!this.#wanted || this.#state === 'token-expired') {
            return;
        }

        this.#ua.registrator().onTransportClosed();

        const next = afterClose(close, ++this.#attempt);

        switch (next.action) {

        case 'token':
            this.#tokenEnded();
            break;

        case 'out':
        case 'refused':
            this.#giveUp(next.action === 'out' ? 'token-expired' : 'refused',
                         'forbidden', close.code, closeText(close.code));
            break;

        default:
            this.#startPatience();
            this.#tryAgain(next.delay, next.session);
        }
    }

    /*
     * A new token, once or twice where the page gave a way to get one; no
     * storm if the new one is not liked either.  A socket that is still there
     * goes on with it.  Without a way: perhaps the site itself, in another
     * page, has refreshed the cookie.
     */
    async #tokenEnded() {
        if (this.#attempt > (this.#login.renewable ? 2 : 1)) {
            this.#giveUp('token-expired', 'unauthorized', 401, LOGGED_OUT);
            return;
        }

        const generation = ++this.#generation;

        this.#attempt++;
        clearTimeout(this.#retry);
        this.#ua.registrator().onTransportClosed();
        this.#setState('connecting');

        try {
            await this.#login.refresh();

            if (generation === this.#generation && this.#socket?.live) {
                await this.#fetch('PUT');
            }

        } catch (error) {
            const refused = [400, 401, 403].includes(error?.status);

            if (generation === this.#generation
                && (refused || !(error instanceof SessionError)))
            {
                this.#giveUp('token-expired', 'unauthorized', 401,
                             LOGGED_OUT);
                return;
            }
        }

        if (generation !== this.#generation || !this.#wanted) {
            return;
        }

        if (this.#socket?.live && this.#login.bearer !== null) {
            this.#ua.register();

        } else {
            this.#socket?.drop();
            this.#startPatience();
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

    /* Calls and messages. */

    #media({ video = false }) {
        return {
            mediaConstraints: { audio: this.#options.audio, video },
            pcConfig: {
                iceServers: this.#login.iceServers,
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
            domain: this.session.domain,
            gatherMs: this.#options.gatherMs,
            media: (wish) => this.#media(wish),
            lost: () => this.#askSocket(),
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

    /* The page. */

    #page = new Page({
        /* The close frame tells the portal to end calls now. */
        left: () => {
            this.#generation++;
            this.#clearTimers();
            this.#socket?.drop(1000);
        },

        /* The calls are gone. */
        back: () => {
            if (this.#wanted) {
                this.#abandonCalls();
                this.#ua?.registrator().onTransportClosed();
                this.#attempt = 0;
                this.#tryAgain(0, true);
            }
        },

        online: () => this.#onOnline(),
    });

    #onOnline() {
        if (this.#state === 'connecting') {
            this.#tryAgain(0, true);

        } else {
            this.#askSocket();
        }
    }

    /*
     * Another network: the old socket may look alive for minutes.  Ask it;
     * if nothing at all comes back, take a new one.
     */
    #askSocket() {
        const socket = this.#socket;

        if (this.#state !== 'registered' || !socket?.live) {
            return;
        }

        const before = socket.received;
        let left = 20;

        this.#ua.register();

        const look = setInterval(() => {
            const same = this.#socket === socket && socket.live;

            if (same && socket.received === before && --left > 0) {
                return;
            }

            clearInterval(look);

            if (same && left > 0) {
                this.#calls.forEach((call) => call.recover(false));

            } else if (same) {
                socket.drop();
                this.#onDown({ code: 1006, reason: '', opened: true });
            }
        }, 200);
    }

    #mustBeRegistered() {
        if (this.#state !== 'registered') {
            throw new PortalError('connection', 0,
                                  'There is no connection to the service.');
        }
    }

    #clearTimers() {
        clearTimeout(this.#retry);
        this.#login.stop();
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
