/* Copyright (C) the IMS portal authors */

/*
 * Two browsers and the helper alone: what one sends goes to the helper, to its
 * IMS side, from there to the helper again as another call, and to the other
 * browser.  So both ways of a description and real decoders are judged, by
 * figures of the browsers.  The driver is an ng client here.
 */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:http';
import { resolve as path } from 'node:path';

import { MIC, sleep, tone, top, until } from './lib.mjs';

const WEB = 40000, NG = 12223, SITE = 8080;


/** @param {any} v  string, number, array or object, as bencode */
function bencode(v) {
    if (typeof v === 'number') {
        return `i${v}e`;
    }

    if (Array.isArray(v)) {
        return `l${v.map(bencode).join('')}e`;
    }

    if (typeof v === 'object') {
        return `d${Object.keys(v).sort().map(
            (k) => bencode(k) + bencode(v[k])).join('')}e`;
    }

    return `${Buffer.byteLength(v)}:${v}`;
}


function bdecode(text, at = { i: 0 }) {
    const c = text[at.i];
    const until = (mark) => {
        const end = text.indexOf(mark, at.i);
        const s = text.slice(at.i, end);

        at.i = end + 1;

        return s;
    };

    if (c === 'i') {
        at.i++;
        return Number(until('e'));
    }

    if (c !== 'l' && c !== 'd') {
        const n = Number(until(':'));

        at.i += n;

        return text.slice(at.i - n, at.i);
    }

    const all = [];

    for (at.i++; text[at.i] !== 'e'; ) {
        all.push(bdecode(text, at));
    }

    at.i++;

    if (c === 'l') {
        return all;
    }

    return Object.fromEntries(all.map((k, i) => [k, all[i + 1]])
        .filter((_, i) => i % 2 === 0));
}


/** The media helper, and who speaks ng to it. */
export class Helper {
    /** @param {object} [options]  address, ims, args; program, from the top */
    constructor(options = {}) {
        this.address = options.address ?? '127.0.0.1';
        this.ims = options.ims ?? this.address;
        this.program = options.program ?? 'media-helper/media-helper';
        this.args = options.args ?? [];
        this.said = '';
        this.serial = 0;
    }

    async start() {
        const at = (a) => a.includes(':') ? `[${a}]` : a;

        this.process = spawn(path(top, this.program), [
            '-d', '-c', `udp:127.0.0.1:${NG}`, '-w',
            `${this.address.split(',').map(at).join(',')}:${WEB}`,
            '-i', this.ims, '-p', '24000-24999', ...this.args,
        ], { stdio: ['ignore', 'pipe', 'pipe'] });

        for (const stream of [this.process.stdout, this.process.stderr]) {
            stream.on('data', (d) => { this.said += d; });
        }

        await until(async () => this.process.exitCode !== null
                    || this.process.signalCode !== null
                    || (await this.ng({ command: 'ping' })).result === 'pong',
                    'helper', 20000);
        assert.equal(this.process.exitCode ?? this.process.signalCode, null,
                     this.said);
    }

    async stop() {
        const { exitCode, signalCode } = this.process ?? {};

        if (exitCode === null && signalCode === null) {
            const gone = new Promise((r) => this.process.once('exit', r));
            const timer = setTimeout(() => this.process.kill('SIGKILL'),
                                     10000);

            this.process.kill('SIGTERM');
            await gone;
            clearTimeout(timer);
        }
    }

    /** Nothing of its log is a fault: at the end of a test, not behind it. */
    sound() {
        assert.doesNotMatch(this.said,
            /\[(err|alert|emerg|crit)|AddressSanitizer|runtime error/);
    }

    /** One command; throws without an answer. */
    ng(command) {
        return new Promise((resolve, reject) => {
            const socket = createSocket('udp4');
            const cookie = `c${process.pid}_${++this.serial}`;
            const send = () => socket.send(`${cookie} ${bencode(command)}`,
                                           NG, '127.0.0.1');
            let left = 10;

            /* repeated as UDP has to be: done once all the same */
            const timer = setInterval(() => {
                if (--left > 0) {
                    send();
                    return;
                }

                clearInterval(timer);
                socket.close();
                reject(new Error('no answer'));
            }, 1000);

            socket.on('error', () => {});
            socket.on('message', (m) => {
                clearInterval(timer);
                socket.close();
                resolve(bdecode(m.toString().slice(cookie.length + 1)));
            });
            send();
        });
    }

    /** The description for the other side; `keys` are more of ng's. */
    async sdp(command, keys, direction) {
        const web = direction[1] === 'web';
        const reply = await this.ng({
            command, direction,
            'transport-protocol': web ? 'UDP/TLS/RTP/SAVPF' : 'RTP/AVPF',
            'ICE': web ? 'force' : 'remove',
            ...keys,
        });

        assert.equal(reply.result, 'ok', JSON.stringify(reply));

        return reply.sdp;
    }
}


/** An empty page of a secure origin, for any number of them. */
export class Site {
    async start() {
        this.server = createServer((request, response) => {
            response.setHeader('Content-Type', 'text/html');
            response.end('<!doctype html><title>leg</title>');
        });
        await new Promise((r) => this.server.listen(SITE, '127.0.0.1', r));
        this.url = `http://127.0.0.1:${SITE}/`;
    }

    stop() {
        this.server?.closeAllConnections();
        this.server?.close();
    }
}


/* in the page: the microphone, a picture of one color that moves, and what comes */

function prepare({ color, video }) {
    window.leg = { heard: new MediaStream() };
    window.pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle',
                                        rtcpMuxPolicy: 'require' });

    pc.ontrack = ({ track }) => {
        leg.heard.addTrack(track);

        /* something must play it, else nothing is decoded */
        const e = document.createElement(track.kind);

        e.srcObject = new MediaStream([track]);
        e.muted = track.kind === 'video';
        document.body.append(e);
        leg[track.kind] = e;
        return e.play();
    };

    const sound = () => navigator.mediaDevices.getUserMedia({ audio: {
        echoCancellation: false, noiseSuppression: false,
        autoGainControl: false,
    } });

    const picture = () => {
        const canvas = document.createElement('canvas');
        const c = canvas.getContext('2d');
        let n = 0;

        [canvas.width, canvas.height] = [320, 240];
        setInterval(() => {
            c.fillStyle = color;
            c.fillRect(0, 0, 320, 240);
            c.fillStyle = '#888';
            c.fillRect(n++ % 300, 8, 16, 16);
        }, 66);

        return canvas.captureStream(15);
    };

    return sound().then((stream) => {
        leg.sound = stream;
        leg.sender = pc.addTrack(stream.getAudioTracks()[0], stream);

        if (video) {
            leg.picture = picture();
            pc.addTrack(leg.picture.getVideoTracks()[0], stream);
        }
    });
}


/** Waits until ICE has found what it can, at most two seconds. */
function gathered() {
    return new Promise((resolve) => {
        const done = () => resolve(pc.localDescription.sdp);

        if (pc.iceGatheringState === 'complete') {
            done();
            return;
        }

        pc.addEventListener('icegatheringstatechange', () => {
            if (pc.iceGatheringState === 'complete') {
                done();
            }
        });
        setTimeout(done, 2000);
    });
}


/** A page with one RTCPeerConnection. */
export class Leg {
    /**
     * @param {object} page  of Playwright, or Firefox's
     * @param {object} options  color; video; tone: Hz that it sends;
     *   listen: as Firefox's
     */
    constructor(page, options) {
        this.page = page;
        this.options = options;
    }

    async open(site) {
        await this.page.goto(site.url);
        await this.page.evaluate(prepare, {
            color: this.options.color,
            video: this.options.video === true,
        });
    }

    /** @param {{iceRestart?: boolean}} [options] */
    async offer(options = {}) {
        await this.page.evaluate(
            async (o) => pc.setLocalDescription(await pc.createOffer(o)),
            options);

        return this.page.evaluate(gathered);
    }

    /** @param {(sdp: string) => string} [change]  of the answer */
    async answer(sdp, change = (s) => s) {
        const mine = await this.page.evaluate(async (text) => {
            await pc.setRemoteDescription({ type: 'offer', sdp: text });

            return (await pc.createAnswer()).sdp;
        }, sdp);

        await this.page.evaluate(
            (text) => pc.setLocalDescription({ type: 'answer', sdp: text }),
            change(mine));

        return this.page.evaluate(gathered);
    }

    answered(sdp) {
        return this.page.evaluate((text) => pc.setRemoteDescription(
            { type: 'answer', sdp: text }), sdp);
    }

    /** @param {string} [kind]  that media only */
    direction(what, kind = '') {
        return this.page.evaluate(({ what, kind }) => {
            for (const t of pc.getTransceivers()) {
                if (kind === '' || t.receiver.track.kind === kind) {
                    t.direction = what;
                }
            }
        }, { what, kind });
    }

    connected() {
        return until(() => this.page.evaluate(
            () => pc.connectionState === 'connected'), 'connected', 40000);
    }

    /** What getStats() says of RTP and of the way it takes. */
    stats() {
        return this.page.evaluate(async () => {
            const report = await pc.getStats();
            const none = { received: 0, lost: 0, sent: 0, decoded: 0 };
            const all = { audio: { ...none }, video: { ...none } };

            for (const s of report.values()) {
                const part = all[s.kind];

                if (s.type === 'inbound-rtp' && part) {
                    part.received += s.packetsReceived;
                    part.lost += s.packetsLost;
                    part.decoded = s.framesDecoded ?? 0;
                    part.keys = s.keyFramesDecoded;
                    part.width = s.frameWidth;
                    part.codec = report.get(s.codecId)?.mimeType;

                } else if (s.type === 'outbound-rtp' && part) {
                    part.sent += s.packetsSent;
                    part.encoded = s.framesEncoded;

                } else if (s.type === 'transport') {
                    const pair = report.get(s.selectedCandidatePairId);

                    all.role = s.dtlsRole;
                    all.srtp = s.srtpCipher;
                    all.local = report.get(pair?.localCandidateId);
                    all.remote = report.get(pair?.remoteCandidateId);
                }
            }

            return all;
        });
    }

    /** Level and frequency, as Phone's. */
    hear() {
        if (this.options.listen) {
            return this.options.listen(this.page, () => window.leg.heard);
        }

        return this.page.evaluate(async () => {
            const context = new AudioContext();
            const analyser = new AnalyserNode(context, { fftSize: 32768 });

            context.createMediaStreamSource(leg.heard).connect(analyser);
            await context.resume();

            while (context.currentTime < 1) {
                await new Promise((r) => setTimeout(r, 20));
            }

            const time = new Float32Array(analyser.fftSize);
            const rate = context.sampleRate;

            analyser.getFloatTimeDomainData(time);
            await context.close();

            return { rate, time: Array.from(time) };
        }).then(({ rate, time }) => tone(time, rate));
    }

    /** The color in the middle of what is seen: [r, g, b]. */
    see() {
        return this.page.evaluate(() => {
            const canvas = document.createElement('canvas');
            const c = canvas.getContext('2d');

            [canvas.width, canvas.height] = [320, 240];
            c.drawImage(leg.video, 0, 0, 320, 240);

            return Array.from(c.getImageData(160, 160, 1, 1).data).slice(0, 3);
        });
    }

    close() {
        return this.page.evaluate(() => {
            pc.close();
            leg.sound.getTracks().forEach((t) => t.stop());
        });
    }
}


/**
 * Two legs, each with storage of its own.
 *
 * @param {object|object[]} browser  for both; or the two
 */
export async function legs(browser, site, options = {}) {
    const [first, second = first] = [browser].flat();
    const all = [];

    for (const [its, color] of [[first, '#c02020'], [second, '#2020c0']]) {
        const leg = new Leg(await its.page(), {
            color, tone: its.tone, listen: its.listen, ...options,
        });

        await leg.open(site);
        all.push(leg);
    }

    return all;
}


let calls = 0;

/** A call of two legs by the helper, which has it as two calls. */
export class Pair {
    /**
     * @param {Helper} helper
     * @param {Leg} a
     * @param {Leg} b
     * @param {object} [keys]  of ng, for all commands; `offer`, `answer`:
     *   for what goes to a browser in these only
     */
    constructor(helper, a, b, keys = {}) {
        this.helper = helper;
        this.legs = [a, b];

        /* of the leg: its call at the helper */
        this.ids = [`call-${++calls}`, `call-${++calls}`];
        this.keys = keys;
    }

    /**
     * One offer of leg `n` and its answer, through both calls.
     *
     * @param {object} [options]  iceRestart, change: of the answer;
     *   connected: false if that cannot be yet
     */
    async negotiate(n = 0, options = {}) {
        const [a, b] = n === 0 ? this.legs : [...this.legs].reverse();
        const [ida, idb] = n === 0 ? this.ids : [...this.ids].reverse();
        const { helper } = this;
        const up = ['web', 'ims'], down = ['ims', 'web'];
        const common = this.keys.all ?? {};
        const tags = (id, ...which) => ({
            'call-id': id, 'from-tag': `${id}-${which[0]}`,
            ...(which[1] ? { 'to-tag': `${id}-${which[1]}` } : {}),
        });
        const ask = (command, sdp, keys, way) => helper.sdp(
            command, { sdp, ...common, ...keys }, way);

        let sdp = await a.offer({ iceRestart: options.iceRestart === true });

        sdp = await ask('offer', sdp, tags(ida, 'web'), up);
        this.plain = sdp;
        sdp = await ask('offer', sdp,
                        { ...tags(idb, 'ims'), ...this.keys.offer }, down);
        sdp = await b.answer(sdp, options.change);
        sdp = await ask('answer', sdp, tags(idb, 'ims', 'web'), up);
        sdp = await ask('answer', sdp, { ...tags(ida, 'web', 'ims'),
                                         ...this.keys.answer }, down);
        await a.answered(sdp);

        if (options.connected !== false) {
            await Promise.all([a.connected(), b.connected()]);
        }
    }

    /** Packets, tones, and with video pictures, in both directions. */
    async flows(t, both = true) {
        const [a, b] = this.legs;
        const ways = both ? [[a, b], [b, a]] : [[a, b]];

        for (const [from, to] of ways) {
            const got = async () => {
                const { audio, video } = await to.stats();

                return audio.received > 25
                       && (!from.options.video || video.received > 5);
            };

            await until(got, 'packets', 30000);
        }

        const each = (read) => Promise.all(this.legs.map(read));

        /* what arrives is counted over a longer time than what leaves */
        const r0 = await each((leg) => leg.stats());
        const s0 = await each((leg) => leg.stats());

        await sleep(3000);

        const s1 = await each((leg) => leg.stats());

        await sleep(200);

        const r1 = await each((leg) => leg.stats());
        const of = (leg) => this.legs.indexOf(leg);

        for (const [from, to] of ways) {
            const [f, g] = [of(from), of(to)];

            for (const kind of from.options.video ? ['audio', 'video']
                                                  : ['audio'])
            {
                const sent = s1[f][kind].sent - s0[f][kind].sent;
                const received = r1[g][kind].received - r0[g][kind].received;
                const lost = r1[g][kind].lost - r0[g][kind].lost;

                t.diagnostic(`${kind} ${f} to ${g}: sent ${sent}, received `
                             + `${received}, lost ${lost}`);
                assert.ok(sent > 25, `${kind} is sent: ${sent}`);
                assert.ok(received >= 0.95 * sent,
                          `${kind}: ${received} of ${sent}`);
                assert.ok(lost <= 0.05 * sent, `${kind}: ${lost} lost`);
            }

            const heard = await to.hear();

            t.diagnostic(`heard: ${heard.freq.toFixed(1)} Hz at `
                         + `${heard.db.toFixed(1)} dB`);
            assert.ok(Math.abs(heard.freq - (from.options.tone ?? MIC)) < 5,
                      `tone: ${heard.freq}`);
            assert.ok(heard.db > -35, `energy: ${heard.db}`);

            if (from.options.video) {
                await this.picture(t, from, to);
            }
        }

        return r1;
    }

    /** Frames go on being decoded, and they are what was sent. */
    async picture(t, from, to) {
        const start = (await to.stats()).video.decoded;
        const now = await until(async () => {
            const { video } = await to.stats();

            return video.decoded >= start + 15 && video;
        }, 'frames', 30000);
        const seen = await to.see();
        const want = /(..)(..)(..)$/.exec(from.options.color).slice(1)
            .map((x) => parseInt(x, 16));

        t.diagnostic(`${now.codec}, ${now.width} wide, ${now.decoded} frames, `
                     + `${now.keys} key frames; color ${seen}`);
        assert.equal(now.width, 320);
        assert.ok(now.keys === undefined || now.keys > 0, 'key frames');
        want.forEach((x, i) => assert.ok(Math.abs(x - seen[i]) < 48,
                                         `${seen} is not ${want}`));
    }

    async end() {
        for (const id of this.ids) {
            await this.helper.ng({ command: 'delete', 'call-id': id,
                                   'delete-delay': 0 });
        }

        for (const leg of this.legs) {
            await leg.close();
        }

        const { calls } = await this.helper.ng({ command: 'list' });

        assert.deepEqual(calls, [], 'no call is left');
        this.helper.sound();
    }
}
