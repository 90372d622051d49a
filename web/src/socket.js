/* Copyright (C) the IMS portal authors */

/*
 * One lasting SIP transport over a row of WebSockets.
 *
 * JsSIP ends a call when a request of it meets a dead socket.  Here a dead
 * socket is normal: the server restarts, the laptop changes its network.  So
 * JsSIP sees this object, which is up from the first connection until
 * disconnect(), and the portal (ims-portal.js) replaces the WebSocket below
 * it.  In between
 *
 *   - what JsSIP sends is kept, in order and once, until the portal says that
 *     the new socket is registered (release());
 *   - then requests that had no response yet are sent again, as SIP does over
 *     UDP: same branch, same CSeq;
 *   - a REGISTER is never kept: the lost one is answered with 503 (RFC 3261
 *     section 8.1.3.1 says that of a transport error) and the portal makes a
 *     new one.
 *
 * Dialogs name no socket, so calls simply go on.
 */

import { dropContact, maskTel, unmaskTel } from './address.js';
import { CLOSE } from './backoff.js';


const LIMITS = {
    queue: 64,          /* messages kept while there is no socket */
    pending: 64,        /* requests waiting for their first response */
    age: 32000,         /* ms after which a request is given up: timer B, F */
};

const CRLF = '\r\n';


export class PortalSocket {
    #ws = null;
    #opened = false;
    #told = false;
    #released = false;
    #queue = [];
    #pending = new Map();
    #register = null;
    #WebSocket;

    /** Set by JsSIP. */
    onconnect = () => {};
    ondisconnect = () => {};
    ondata = () => {};

    /** Set by the portal: a WebSocket has opened. */
    onup = () => {};

    /**
     * Set by the portal: a WebSocket has closed; not called after
     * disconnect().  `opened` is false when the handshake failed.
     *
     * @type {(e: {code: number, reason: string, opened: boolean}) => void}
     */
    ondown = () => {};

    /** Lets the next WebSocket in, where neither cookie nor token does. */
    ticket = null;

    /** Messages received so far: a sign of life. */
    received = 0;

    /**
     * @param {string} url  ws: or wss:
     * @param {object} [deps]
     * @param {typeof WebSocket} [deps.WebSocket]  for tests
     */
    constructor(url, deps = {}) {
        this.url = url;
        this.#WebSocket = deps.WebSocket ?? globalThis.WebSocket;
    }

    get via_transport() {
        return new URL(this.url).protocol === 'ws:' ? 'WS' : 'WSS';
    }

    get sip_uri() {
        return `sip:${new URL(this.url).host};transport=ws`;
    }

    /** Is there a WebSocket that takes data? */
    get live() {
        return this.#ws !== null && this.#ws.readyState === 1;
    }

    /** Called by JsSIP once, and by the portal for each further try. */
    connect() {
        this.drop();

        const ws = new this.#WebSocket(this.url, this.#protocols());

        ws.binaryType = 'arraybuffer';
        ws.onopen = () => this.#onOpen();
        ws.onclose = (e) => this.#onClose(e);
        ws.onmessage = (e) => this.#onMessage(e.data);

        this.#ws = ws;
        this.#opened = false;
    }

    /** Called by JsSIP at its end: a normal close frame (RFC 6455, 1000). */
    disconnect() {
        this.drop(1000);
        this.#queue = [];
        this.#pending.clear();
    }

    /**
     * Lets go of the WebSocket without a word to ondown().
     *
     * @param {number} [code]  of the close frame: the portal ends the calls
     *   at 1000 (RFC 6455), and waits for another socket at 4408
     */
    drop(code = CLOSE.AGAIN) {
        const ws = this.#ws;

        if (ws === null) {
            return;
        }

        ws.onopen = ws.onclose = ws.onmessage = null;
        this.#ws = null;
        this.#released = false;

        try {
            ws.close(code);

        } catch {
            /* Still connecting: the browser aborts the handshake. */
        }

        this.#failRegister();
    }

    /**
     * Called by JsSIP.
     *
     * @param {string} message
     * @returns {boolean} false: not sent and not kept
     */
    send(message) {
        const text = String(message);

        if (text === CRLF) {
            return this.live && this.#write(text);
        }

        if (text.startsWith('REGISTER ')) {
            if (!this.live) {
                return false;
            }

            this.#register = text;
            return this.#write(text);
        }

        if (!this.live || !this.#released) {
            return this.#keep(text);
        }

        this.#track(text);

        return this.#write(text);
    }

    /** The socket is registered: send what waited. */
    release() {
        const now = Date.now();
        const queue = this.#queue;

        this.#released = true;
        this.#queue = [];

        for (const [key, entry] of this.#pending) {
            if (now - entry.since > LIMITS.age) {
                this.#pending.delete(key);

            } else {
                this.#write(entry.text);
            }
        }

        for (const text of queue) {
            this.send(text);
        }
    }

    /* A ticket is good once, so each one is used for one handshake. */
    #protocols() {
        const ticket = this.ticket;

        this.ticket = null;

        return ticket === null ? 'sip' : ['sip', `ims-ticket.${ticket}`];
    }

    #onOpen() {
        this.#opened = true;

        if (!this.#told) {
            this.#told = true;
            this.onconnect();
        }

        this.onup();
    }

    #onClose({ code, reason }) {
        const opened = this.#opened;

        this.#ws = null;
        this.#released = false;
        this.#failRegister();
        this.ondown({ code, reason, opened });
    }

    #onMessage(data) {
        const text = typeof data === 'string' ? data
                                              : new TextDecoder().decode(data);

        this.received++;

        if (text.startsWith('SIP/2.0 ')) {
            this.#settle(text);
        }

        this.ondata(dropContact(maskTel(text)));
    }

    #write(text) {
        this.#ws.send(unmaskTel(text));

        return true;
    }

    #keep(text) {
        /* JsSIP repeats a 2xx until its ACK comes; one of them is enough. */
        if (this.#queue.includes(text)) {
            return true;
        }

        if (this.#queue.length >= LIMITS.queue) {
            return false;
        }

        this.#queue.push(text);

        return true;
    }

    #track(text) {
        const method = /^([A-Z]+) /.exec(text)?.[1];

        if (method === undefined || method === 'ACK') {
            return;
        }

        if (this.#pending.size >= LIMITS.pending) {
            this.#pending.delete(this.#pending.keys().next().value);
        }

        this.#pending.set(keyOf(text), { text, since: Date.now() });
    }

    #settle(response) {
        const key = keyOf(response);

        this.#pending.delete(key);

        if (this.#register !== null && key === keyOf(this.#register)
            && !response.startsWith('SIP/2.0 1'))
        {
            this.#register = null;
        }
    }

    #failRegister() {
        if (this.#register === null) {
            return;
        }

        const copied = /^(Via|From|To|Call-ID|CSeq):[^\r\n]*\r\n/gim;
        const headers = this.#register.match(copied).join('');

        this.#register = null;
        this.ondata('SIP/2.0 503 Service Unavailable\r\n' + headers
                    + 'Content-Length: 0\r\n\r\n');
    }
}


/** A transaction: the branch of the top Via and the method of the CSeq. */
function keyOf(message) {
    const branch = /^(?:Via|v)[ \t]*:[^\r\n]*?;[ \t]*branch=([^;,\s]+)/im
                   .exec(message);
    const method = /^CSeq[ \t]*:[ \t]*[0-9]+[ \t]+([A-Z]+)/im.exec(message);

    return `${branch?.[1]} ${method?.[1]}`;
}
