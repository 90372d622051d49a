/* Copyright (C) the IMS portal authors */

/*
 * One call: JsSIP's session behind a small face.
 */

import { firstValue, parseParty } from './address.js';
import { causeOf, causeOfBye, explain, isLimit, parseReason } from './causes.js';


/* ms in which the portal repeats an answer on a new socket */
const REPEATED = 3000;

/* ms from one try to find another way for the media to the next */
const AGAIN = 5000;
const TRIES = 6;

/*
 * ms that who calls gives way to who is called: both may lose their media at
 * once, and offers that cross are refused (RFC 3261 14.1)
 */
const BEHIND = 1500;


/** @typedef {'calling'|'ringing'|'early'|'active'|'held'|'ended'} CallState */


/**
 * Events:
 *   `state`   detail {state, previous}; with "ended" also {cause, code, text}
 *   `stream`  detail {stream}: the far side's media, also as `remoteStream`
 *   `mute`    detail {muted}
 *   `dtmf`    detail {tone}: a digit that came by SIP INFO
 */
export class Call extends EventTarget {
    #session;
    #options;
    #heard = 0;         /* provisional answers, repetitions included */
    #again = null;
    #restart = null;
    #tries = 0;

    /** @type {'outgoing'|'incoming'} */
    direction;

    /** The other side. @type {import('./address.js').Party} */
    remote;

    /** @type {CallState} */
    state;

    /** With video? As asked for, or as offered by the far side. */
    video = false;

    /** Why it ended (causes.js), the SIP status, and a sentence about it. */
    cause = null;
    code = 0;
    text = '';

    /** ms since the epoch: when the call was answered, and ended. */
    answeredAt = null;
    endedAt = null;

    /** @type {MediaStream|null} */
    remoteStream = null;

    /**
     * Made by ImsPortal only.
     *
     * @param {object} session  JsSIP's RTCSession
     * @param {object} options
     * @param {'outgoing'|'incoming'} options.direction
     * @param {string} options.domain
     * @param {string} [options.target]  whom we call
     * @param {object} [options.request] the INVITE that came
     * @param {boolean} [options.video]
     * @param {() => object} options.media  what JsSIP's answer() gets
     * @param {() => void} options.lost  the way of the media is lost: is the
     *                                   socket, too?
     */
    constructor(session, options) {
        super();

        this.#session = session;
        this.#options = options;
        this.direction = options.direction;

        if (options.direction === 'incoming') {
            this.state = 'ringing';
            this.remote = callerOf(options.request, options.domain);
            this.video = /^m=video [1-9]/m.test(options.request.body ?? '');

        } else {
            this.state = 'calling';
            this.remote = parseParty(`<${options.target}>`, options.domain);
            this.video = options.video === true;
        }

        this.#listen();
    }

    /** SIP's Call-ID and our tag: a key for this call. */
    get id() {
        return this.#session.id;
    }

    /** @type {RTCPeerConnection|null} */
    get connection() {
        return this.#session.connection ?? null;
    }

    get muted() {
        return this.#session.isMuted().audio;
    }

    /** Who holds: {local, remote}. */
    get onHold() {
        return this.#session.isOnHold();
    }

    get ended() {
        return this.state === 'ended';
    }

    /**
     * Answers an incoming call.
     *
     * @param {{video?: boolean}} [options]  default: no camera
     */
    accept(options = {}) {
        const body = this.#options.request?.body;
        const video = options.video === true;

        this.#session.answer({
            ...this.#options.media({ video }),

            /* Without an offer from there we make one (RFC 3261, 13.2.1). */
            rtcOfferConstraints: body ? null : { offerToReceiveAudio: true },
        });
    }

    /**
     * Declines an incoming call.
     *
     * @param {number} [code]  SIP status: 603 decline (default), 486 busy
     */
    reject(code = 603) {
        if (!this.ended) {
            this.#session.terminate({ status_code: code });
        }
    }

    /** Ends the call, whatever it is doing: CANCEL, 480 or BYE. */
    hangup() {
        if (!this.ended && !this.#session.isEnded()) {
            this.#session.terminate();
        }
    }

    /**
     * Puts the far side on hold.
     *
     * @returns {Promise<boolean>} true when the far side has agreed, false
     *   when nothing could be changed now
     */
    hold() {
        return this.#change('hold');
    }

    /** Takes the far side off hold; returns as hold(). */
    unhold() {
        return this.#change('unhold');
    }

    mute() {
        this.#session.mute({ audio: true });
    }

    unmute() {
        this.#session.unmute({ audio: true });
    }

    /**
     * Sends digits: as RTP events (RFC 4733) where the call has them, else
     * by SIP INFO.
     *
     * @param {string} tones       0-9, *, #, A-D; "," is a pause of two seconds
     * @param {number} [duration]  ms a tone, 70 to 6000
     * @returns {'rtp'|'info'} the way it went
     */
    dtmf(tones, duration = 160) {
        const sender = this.connection?.getSenders()
                       .find((s) => s.track?.kind === 'audio')?.dtmf;
        const way = sender?.canInsertDTMF ? 'rtp' : 'info';

        this.#session.sendDTMF(String(tones), {
            duration,
            interToneGap: way === 'rtp' ? 70 : 300,
            transportType: way === 'rtp' ? 'RFC2833' : 'INFO',
        });

        return way;
    }

    /**
     * Figures of the audio: what was sent and received, and how well.
     *
     * @returns {Promise<object>} packetsSent, bytesSent, packetsReceived,
     *   bytesReceived, packetsLost, jitter (s), roundTripTime (s), codec,
     *   audioLevel (0 to 1); 0 or "" where unknown
     */
    async stats() {
        const report = await this.connection?.getStats();
        const result = {
            packetsSent: 0, bytesSent: 0, packetsReceived: 0,
            bytesReceived: 0, packetsLost: 0, jitter: 0, roundTripTime: 0,
            audioLevel: 0, codec: '',
        };

        for (const s of report?.values() ?? []) {
            if (s.type === 'outbound-rtp' && s.kind === 'audio') {
                result.packetsSent += s.packetsSent ?? 0;
                result.bytesSent += s.bytesSent ?? 0;
                result.codec = report.get(s.codecId)?.mimeType ?? '';

            } else if (s.type === 'inbound-rtp' && s.kind === 'audio') {
                result.packetsReceived += s.packetsReceived ?? 0;
                result.bytesReceived += s.bytesReceived ?? 0;
                result.packetsLost += s.packetsLost ?? 0;
                result.jitter = s.jitter ?? 0;
                result.audioLevel = s.audioLevel ?? 0;

            } else if (s.type === 'candidate-pair' && s.nominated) {
                result.roundTripTime = s.currentRoundTripTime ?? 0;
            }
        }

        return result;
    }

    /**
     * Called by ImsPortal when the socket is registered: if the media path
     * broke as well (another network), find a new one (RFC 8839, 4.4.1.1).
     *
     * A call of ours that is not answered has ended with its socket, unless
     * the portal repeats what it last said of it on the new one.
     *
     * @param {boolean} fresh  it is another socket
     */
    recover(fresh) {
        if (fresh && this.direction === 'outgoing'
            && !this.#session.isEstablished())
        {
            const heard = this.#heard;

            setTimeout(() => {
                if (!this.#session.isEstablished() && this.#heard === heard) {
                    this.abandon();
                }
            }, REPEATED);
        }

        if (this.#broken) {
            clearTimeout(this.#restart);
            this.#restart = setTimeout(() => {
                if (this.#broken) {
                    this.#session.renegotiate({
                        rtcOfferConstraints: { iceRestart: true },
                    });
                }
            }, this.direction === 'outgoing' ? BEHIND : 0);
        }
    }

    /* Of a call that goes on, the way of its media is lost. */
    get #broken() {
        return this.#session.isEstablished()
               && ['disconnected', 'failed'].includes(
                   this.connection?.iceConnectionState);
    }

    /*
     * Another address, or another network, of which no event tells.  The
     * portal asks its socket, which may be gone as well, and has recover()
     * called; while there is no network at all that does not help at once.
     */
    #seek() {
        clearTimeout(this.#again);

        if (!this.#broken) {
            const ice = this.connection?.iceConnectionState;

            if (ice === 'connected' || ice === 'completed') {
                this.#tries = 0;
            }

        } else if (this.#tries++ < TRIES) {
            this.#options.lost();
            this.#again = setTimeout(() => this.#seek(), AGAIN);
        }
    }

    /** Called by ImsPortal when nobody came back in time. */
    abandon() {
        if (!this.ended && !this.#session.isEnded()) {
            this.#session.terminate({ cause: 'Connection Error' });
        }
    }

    #listen() {
        const session = this.#session;

        session.on('progress', ({ originator, response }) => {
            if (originator === 'remote') {
                this.#heard++;
                this.#set(response.body ? 'early'
                          : this.state === 'early' ? 'early' : 'ringing');
            }
        });

        session.on('accepted', () => {
            this.answeredAt = Date.now();
            this.#set('active');
        });

        for (const event of ['hold', 'unhold']) {
            session.on(event, () => this.#setHold());
        }

        for (const event of ['muted', 'unmuted']) {
            session.on(event, () => this.#emit('mute', { muted: this.muted }));
        }

        for (const event of ['ended', 'failed']) {
            session.on(event, (e) => this.#end(e));
        }

        session.on('newDTMF', ({ originator, dtmf }) => {
            if (originator === 'remote') {
                this.#emit('dtmf', { tone: dtmf.tone });
            }
        });

        this.#gather();

        /* An outgoing session has its connection already. */
        if (session.connection) {
            this.#watch(session.connection);

        } else {
            session.on('peerconnection', ({ peerconnection }) =>
                this.#watch(peerconnection));
        }
    }

    /*
     * The far side of our media is ICE-lite: it learns our addresses from
     * the checks we send, so the offer need not wait for all candidates.
     * JsSIP would (its issue 432).  The first candidate, or this much time
     * without one, is enough.
     */
    #gather() {
        this.#session.on('icecandidate', ({ candidate, ready }) => {
            if (candidate.type !== 'relay') {
                ready();
            }
        });
    }

    #watch(pc) {
        let timer = null;

        pc.addEventListener('icegatheringstatechange', () => {
            clearTimeout(timer);

            if (pc.iceGatheringState === 'gathering') {
                /* JsSIP takes an event without a candidate for the end. */
                timer = setTimeout(() =>
                    pc.dispatchEvent(new Event('icecandidate')),
                    this.#options.gatherMs);
            }
        });

        pc.addEventListener('iceconnectionstatechange', () => this.#seek());

        pc.addEventListener('track', ({ track, streams }) => {
            this.remoteStream = streams[0] ?? this.remoteStream
                                ?? new MediaStream();

            if (!this.remoteStream.getTracks().includes(track)) {
                this.remoteStream.addTrack(track);
            }

            this.#emit('stream', { stream: this.remoteStream });
        });
    }

    #change(what) {
        return new Promise((resolve) => {
            const began = this.#session[what]({}, () => resolve(true));

            if (!began) {
                resolve(false);
            }

            this.addEventListener('state', () => {
                if (this.ended) {
                    resolve(false);
                }
            });
        });
    }

    #setHold() {
        if (!this.#session.isEstablished()) {
            return;
        }

        const { local, remote } = this.onHold;

        this.#set(local || remote ? 'held' : 'active');
    }

    #end({ originator, message, cause }) {
        const reason = parseReason(message?.getHeader?.('Reason'));

        this.code = message?.status_code ?? 0;
        this.cause = causeOf(this.code, cause);

        if (this.cause === 'cancelled' && originator === 'remote'
            && reason?.protocol === 'SIP' && reason.cause === 200)
        {
            this.cause = 'elsewhere';

        } else if (this.cause === 'hangup' && originator === 'remote') {
            this.cause = causeOfBye(reason);
        }

        if (isLimit(message?.getHeader?.('Warning'))) {
            this.cause = 'limit';
        }

        this.text = explain(this.cause);
        this.endedAt = Date.now();
        this.originator = originator;
        this.#set('ended');
    }

    #set(state) {
        const previous = this.state;

        if (previous === 'ended' || (previous === state && state !== 'held')) {
            return;
        }

        this.state = state;
        this.#emit('state', { state, previous, cause: this.cause,
                              code: this.code, text: this.text });
    }

    #emit(type, detail) {
        this.dispatchEvent(new CustomEvent(type, { detail }));
    }
}


/** The caller: what the network vouches for, else what the caller says. */
function callerOf(request, domain) {
    const asserted = request.getHeader('P-Asserted-Identity');
    const from = parseParty(request.getHeader('From'), domain);

    if (!asserted) {
        return from;
    }

    const party = parseParty(firstValue(asserted), domain);

    return { ...party, name: party.name || from.name };
}
