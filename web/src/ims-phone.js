/* Copyright (C) the IMS portal authors */

/*
 * <ims-phone>: a phone for a page.  One call at a time; a second one that
 * comes in hears "busy".
 *
 * Attributes: session (URL of the session API), renew (URL of the site's login
 * that refreshes the cookie), ticket (for a WebSocket on another origin),
 * credentials (of fetch), silent (no ringing),
 * audio-processing="off" (no echo canceller and the like: for tests with
 * tones), manual (do not start by itself).
 *
 * Events, all bubbling out of the shadow root: ims-state, ims-call,
 * ims-message, ims-token-expired.
 */

import { ImsPortal } from './ims-portal.js';
import { MARKUP, STYLE } from './phone-view.js';
import { Ring } from './ring.js';


const STATES = {
    'offline': 'Offline',
    'connecting': 'Connecting…',
    'registered': 'Ready',
    'refused': 'Not allowed',
    'token-expired': 'Logged out',
};

const CALL_STATES = {
    calling: 'Calling…', ringing: 'Ringing…', early: 'Ringing…',
    active: 'Connected', held: 'On hold', ended: 'Ended',
};

const RAW_AUDIO = {
    echoCancellation: false, noiseSuppression: false, autoGainControl: false,
};

const MESSAGES_KEPT = 200;


export class ImsPhone extends HTMLElement {
    /** The library's object, while the element is in a page. */
    portal = null;

    /** More options for it (`token`, `renew`): set before it is inserted. */
    options = {};

    /** The call shown, or null. @type {import('./call.js').Call|null} */
    call = null;

    #ring = new Ring();
    #clock = null;
    #last = null;
    #longPressed = false;

    constructor() {
        super();

        const root = this.attachShadow({ mode: 'open' });
        const sheet = new CSSStyleSheet();

        sheet.replaceSync(STYLE);
        root.adoptedStyleSheets = [sheet];
        root.innerHTML = MARKUP;

        this.#listen();
    }

    connectedCallback() {
        const raw = this.getAttribute('audio-processing') === 'off';

        this.portal = new ImsPortal({
            session: this.getAttribute('session') ?? '/ims/session',
            renew: this.getAttribute('renew'),
            ticket: this.hasAttribute('ticket'),
            credentials: this.getAttribute('credentials') ?? 'same-origin',
            audio: raw ? RAW_AUDIO : true,
            ...this.options,
        });

        const on = (type, handler) => this.portal.addEventListener(
            type, (e) => handler(e.detail));

        on('state', (e) => this.#onState(e));
        on('identity', (e) => this.#onIdentity(e));
        on('incoming', (e) => this.#onIncoming(e.call));
        on('message', (e) => this.#onMessage(e));
        on('token-expiring', () =>
            this.#error('Your login ends soon. Please log in again.'));
        on('error', (e) => this.#error(e.text));

        this.#render();

        if (!this.hasAttribute('manual')) {
            this.portal.start().catch(() => { /* shown by 'error' */ });
        }
    }

    disconnectedCallback() {
        this.#ring.play(null);
        clearInterval(this.#clock);
        this.portal?.stop();
        this.portal = null;
        this.call = null;
    }

    #$(id) {
        return this.shadowRoot.getElementById(id);
    }

    #listen() {
        const root = this.shadowRoot;
        const click = (id, handler) =>
            this.#$(id).addEventListener('click', () => handler());

        root.querySelector('.dial').addEventListener('submit', (e) => {
            e.preventDefault();
            this.#dial();
        });

        root.querySelector('.compose').addEventListener('submit', (e) => {
            e.preventDefault();
            this.#send();
        });

        root.querySelector('.keys').addEventListener('click', (e) => {
            const key = e.target.closest('.key');

            if (key && !this.#longPressed) {
                this.#key(key.dataset.key);
            }

            this.#longPressed = false;
        });

        this.#listenForPlus();

        click('answer', () => this.call?.accept());
        click('reject', () => this.call?.reject());
        click('hangup', () => this.call?.hangup());
        click('mute', () => this.call?.muted ? this.call.unmute()
                                             : this.call?.mute());
        click('hold', () => this.#toggleHold());

        /* On the keyboard digits are keys of the phone during a call. */
        root.querySelector('.phone').addEventListener('keydown', (e) => {
            if (this.#inCall() && /^[0-9*#]$/.test(e.key)
                && e.target !== this.#$('number'))
            {
                e.preventDefault();
                this.#key(e.key);
            }
        });
    }

    /* 0 held down is a plus, as on any phone. */
    #listenForPlus() {
        const zero = this.#$('key-0');
        let timer = null;

        zero.addEventListener('pointerdown', () => {
            this.#longPressed = false;
            timer = setTimeout(() => {
                if (!this.#inCall()) {
                    this.#longPressed = true;
                    this.#key('+');
                }
            }, 600);
        });

        for (const type of ['pointerup', 'pointerleave', 'pointercancel']) {
            zero.addEventListener(type, () => clearTimeout(timer));
        }
    }

    #dial() {
        const number = this.#$('number').value.trim() || this.#last;

        this.#error('');

        if (!number || this.call !== null) {
            return;
        }

        /* An empty field brings the last number back, as phones do. */
        if (this.#$('number').value.trim() === '') {
            this.#$('number').value = number;
            return;
        }

        try {
            this.#last = number;
            this.#show(this.portal.call(number));

        } catch (error) {
            this.#error(error instanceof TypeError
                        ? 'This is not a number or an address.'
                        : error.message);
        }
    }

    #key(key) {
        if (this.#inCall()) {
            this.call.dtmf(key);
            return;
        }

        const field = this.#$('number');

        field.value += key;
    }

    async #toggleHold() {
        const call = this.call;

        if (call === null) {
            return;
        }

        const done = call.onHold.local ? await call.unhold()
                                       : await call.hold();

        if (!done && !call.ended) {
            this.#error('Please try again in a moment.');
        }
    }

    async #send() {
        const to = this.#$('msg-to').value.trim();
        const text = this.#$('msg-text').value;

        this.#error('');

        if (to === '' || text.trim() === '') {
            return;
        }

        const item = this.#addMessage('out', `To ${to}`, text);

        try {
            this.#$('msg-text').value = '';
            await this.portal.message(to, text);
            item.classList.add('sent');

        } catch (error) {
            item.classList.add('failed');
            this.#error(error instanceof TypeError
                        ? 'This is not a number or an address.'
                        : `The message was not delivered. ${error.message}`);
        }
    }

    #onState({ state, previous, text }) {
        if (state === 'registered') {
            this.#error('');

        } else if (text) {
            this.#error(text);
        }

        this.#render();
        this.#tell('ims-state', { state, previous, text });

        if (state === 'token-expired') {
            this.#tell('ims-token-expired', { text });
        }
    }

    #onIdentity({ identity, number, user }) {
        const own = this.#$('identity');

        own.textContent = user ? `${user} · ${number}` : number;
        own.title = identity;
    }

    #onIncoming(call) {
        if (this.call !== null) {
            call.reject(486);
            return;
        }

        this.#error('');
        this.#show(call);
    }

    #onMessage({ from, text, contentType }) {
        if (contentType !== 'text/plain') {
            return;
        }

        this.#addMessage('in', from.name || from.number, text);

        if (this.#$('msg-to').value === '') {
            this.#$('msg-to').value = from.number;
        }

        this.#tell('ims-message', { from, text });
    }

    #show(call) {
        this.call = call;

        call.addEventListener('state', ({ detail }) => {
            if (detail.state === 'ended') {
                this.#onEnded(call, detail);
            }

            this.#render();
            this.#tell('ims-call', { call, ...detail });
        });

        call.addEventListener('mute', () => this.#render());

        call.addEventListener('stream', ({ detail }) => {
            const audio = this.#$('audio');

            if (audio.srcObject !== detail.stream) {
                audio.srcObject = detail.stream;
                audio.play().catch(() => { /* plays at the next click */ });
            }
        });

        this.#render();
        this.#tell('ims-call', { call, state: call.state });

        /*
         * To the box, not to a button: who is typing, or still holds Enter,
         * must not answer or hang up by that.
         */
        if (call.direction === 'outgoing'
            || document.activeElement === document.body)
        {
            this.shadowRoot.querySelector('.callbox')
            .focus({ preventScroll: true });
        }
    }

    #onEnded(call, { cause, text }) {
        this.call = null;
        this.#$('audio').srcObject = null;

        const quiet = cause === 'hangup'
                      || (cause === 'cancelled' && call.originator === 'local')
                      || (cause === 'rejected' && call.originator === 'local');

        if (!quiet) {
            this.#error(text);
        }

        if (this.shadowRoot.activeElement?.closest('.callbox')) {
            this.shadowRoot.querySelector('.dial').hidden = false;
            this.#$('number').focus({ preventScroll: true });
        }
    }

    #inCall() {
        return this.call !== null
               && ['early', 'active', 'held'].includes(this.call.state);
    }

    #render() {
        const root = this.shadowRoot;
        const state = this.portal?.state ?? 'offline';
        const call = this.call;
        const waiting = call?.direction === 'incoming'
                        && call.state === 'ringing';
        const established = call?.state === 'active' || call?.state === 'held';

        this.setAttribute('state', state);
        this.#$('state').textContent = STATES[state];
        this.#$('state').dataset.state = state;
        root.querySelector('.dot').className = `dot ${state}`;

        root.querySelector('.callbox').hidden = call === null;
        root.querySelector('.incoming').hidden = !waiting;
        root.querySelector('.ongoing').hidden = waiting || call === null;
        root.querySelector('.dial').hidden = call !== null;

        this.#$('call').disabled = state !== 'registered';
        this.#$('msg-send').disabled = state !== 'registered';
        this.#$('mute').disabled = !established;
        this.#$('hold').disabled = !established;
        this.#$('mute').setAttribute('aria-pressed', String(!!call?.muted));
        this.#$('hold').setAttribute('aria-pressed',
                                     String(!!call?.onHold.local));

        this.#$('remote').textContent = call === null ? ''
            : [call.remote.name, call.remote.number].filter(Boolean)
              .join(' · ');
        this.#$('remote').title = call?.remote.uri ?? '';
        this.#$('call-state').textContent = call === null ? ''
            : waiting ? 'Incoming call' : CALL_STATES[call.state];
        this.#$('call-state').dataset.state = call?.state ?? 'idle';

        this.#ring.play(this.hasAttribute('silent') || call === null ? null
                        : waiting ? 'ring'
                        : call.state === 'ringing' ? 'ringback' : null);
        this.#runClock();
    }

    #runClock() {
        clearInterval(this.#clock);
        this.#tick();

        if (this.call?.answeredAt) {
            this.#clock = setInterval(() => this.#tick(), 1000);
        }
    }

    #tick() {
        const since = this.call?.answeredAt;
        const seconds = since ? Math.floor((Date.now() - since) / 1000) : 0;
        const two = (n) => String(n).padStart(2, '0');
        const hours = Math.floor(seconds / 3600);

        this.#$('timer').textContent = !since ? ''
            : (hours ? `${hours}:` : '')
              + `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
    }

    #addMessage(kind, who, text) {
        const list = this.#$('messages');
        const item = document.createElement('li');
        const label = document.createElement('small');

        label.textContent = who;
        item.className = kind;
        item.append(label, text);
        list.append(item);

        while (list.children.length > MESSAGES_KEPT) {
            list.firstChild.remove();
        }

        list.scrollTop = list.scrollHeight;

        return item;
    }

    #error(text) {
        this.#$('error').textContent = text;
        this.#$('error').hidden = text === '';
    }

    #tell(type, detail) {
        this.dispatchEvent(new CustomEvent(type, {
            detail, bubbles: true, composed: true,
        }));
    }
}


if (!customElements.get('ims-phone')) {
    customElements.define('ims-phone', ImsPhone);
}
