/* Copyright (C) the IMS portal authors */

/*
 * What 35 minutes of a call do to the sequence numbers, in one minute: the IMS
 * side sends each frame many times over, under numbers of their own, of which
 * a jitter buffer takes one.  Chromium has to follow each wrap, as the helper
 * has when it encrypts: else nothing is heard from then on.  Around a wrap
 * there is one packet for a frame, and some are lost or late (P22).
 */

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { after, before, test } from 'node:test';

import { Browser, until } from './lib.mjs';
import { Helper, Site, legs } from './pair.mjs';

const FRAME = 160, MS = 20;             /* of G.711 */
const FIRST = 65300;
const ALL = 35 * 60 * 1000 / MS;
const MANY = 50;                        /* packets for a frame, if not one */
const NEAR = 60;                        /* packets from the wrap */

const site = new Site();
const browser = new Browser({ tmp: process.env.HOME });
const helper = new Helper();


before(async () => {
    await site.start();
    await browser.start();
    await helper.start();
});

after(async () => {
    await browser.stop();
    await helper.stop();
    site.stop();
});


/** @param {number} x  -32768 to 32767, as mu-law (G.711) */
function ulaw(x) {
    const sign = x < 0 ? 0x80 : 0;
    const v = Math.min(Math.abs(Math.round(x)), 32635) + 132;
    const e = Math.floor(Math.log2(v)) - 7;

    return ~(sign | e << 4 | v >> e + 3 & 15) & 0xff;
}


/** An end of the IMS side: a tone that tells how often its numbers wrapped. */
class Far {
    constructor() {
        this.socket = createSocket('udp4');
        this.n = FIRST;                 /* the number, and 65536 a wrap */
        this.stamp = 0;
        this.phase = 0;
        this.sent = 0;
        this.got = 0;
        this.slow = true;
        this.late = [];
    }

    async open() {
        this.socket.on('message', () => { this.got++; });
        await new Promise((r) => this.socket.bind(0, '127.0.0.1', r));
    }

    /** The answer to what the helper offers, which tells where to send. */
    answer(sdp) {
        this.to = Number(/m=audio (\d+)/.exec(sdp)[1]);

        return ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-',
                'c=IN IP4 127.0.0.1', 't=0 0',
                `m=audio ${this.socket.address().port} RTP/AVPF 0`,
                'a=rtpmap:0 PCMU/8000', ''].join('\r\n');
    }

    get wraps() {
        return this.n >> 16;
    }

    get hz() {
        return 500 + 150 * this.wraps;
    }

    start() {
        let due = Date.now();

        this.timer = setInterval(() => {
            /* a machine that was busy: no burst of old frames */
            due = Math.max(due, Date.now() - 100);

            for ( ; due <= Date.now(); due += MS) {
                this.frame();
            }
        }, 5);
    }

    stop() {
        clearInterval(this.timer);
        this.socket.close();
    }

    frame() {
        const packet = Buffer.alloc(12 + FRAME);
        const one = this.slow || this.far() < NEAR + MANY;

        packet[0] = 0x80;
        packet.writeUInt32BE(this.stamp, 4);
        packet.writeUInt32BE(0x33330001, 8);
        this.stamp += FRAME;

        for (let i = 0; i < FRAME; i++) {
            packet[12 + i] = ulaw(8000 * Math.sin(this.phase));
            this.phase += 2 * Math.PI * this.hz / 8000;
        }

        for (let i = 0; i < (one ? 1 : MANY); i++) {
            this.send(Buffer.from(packet));
        }
    }

    /** How far the nearest wrap is. */
    far() {
        const low = this.n & 0xffff;

        return Math.min(low, 0x10000 - low);
    }

    /* every ninth is lost; at the first wrap, and then at each other one, six
     * are on either side; at those between, the last two come late */
    send(packet) {
        const n = this.n++;
        const low = n & 0xffff;
        const lost = (n + 0x8000 >> 16) % 2 === 1;
        const d = low < 0x8000 ? low : 0xffff - low;

        packet.writeUInt16BE(low, 2);

        if (d < NEAR && (lost ? d < 6 || n % 9 === 0 : n % 9 === 0 && d > 6)) {
            return;
        }

        if (!lost && low >= 0xfffe) {
            this.late.push(packet);
            return;
        }

        for (const p of [packet, ...this.late.splice(0)]) {
            this.socket.send(p, this.to, '127.0.0.1');
            this.sent++;
        }
    }
}


function decoded(leg) {
    return leg.page.evaluate(async () => {
        for (const s of (await pc.getStats()).values()) {
            if (s.type === 'inbound-rtp') {
                return { received: s.packetsReceived, lost: s.packetsLost,
                         concealed: s.concealedSamples,
                         samples: s.totalSamplesReceived
                                  - s.concealedSamples };
            }
        }

        return null;
    });
}


test('35 minutes of sequence numbers, with loss at the wraps', async (t) => {
    const far = new Far();
    const [leg] = await legs(browser, site);
    const id = { 'call-id': 'long', 'from-tag': 'web' };

    await far.open();
    t.after(() => far.stop());

    const plain = await helper.sdp(
        'offer', { ...id, sdp: await leg.offer() }, ['web', 'ims']);

    await leg.answered(await helper.sdp(
        'answer', { ...id, 'to-tag': 'ims', sdp: far.answer(plain) },
        ['ims', 'web']));
    await leg.connected();
    far.start();

    for (const wraps of [0, 1, 2]) {
        await until(() => far.wraps === wraps && far.n % 65536 > NEAR,
                    `wrap ${wraps}`, 300000);
        far.slow = true;

        const start = await until(() => decoded(leg), 'a first packet', 60000);
        const got = far.got;
        const heard = await until(async () => {
            const h = await leg.hear();

            return Math.abs(h.freq - far.hz) < 5 && h.db > -35 && h;
        }, `tone of ${far.hz} Hz`, 60000);

        /* two seconds of sound that is none of the buffer's own */
        const now = await until(async () => {
            const d = await decoded(leg);

            return d.samples - start.samples > 2 * 48000 && d;
        }, 'samples', 60000);

        t.diagnostic(`number ${far.n}: heard ${heard.freq.toFixed(1)} Hz, `
                     + `sent ${far.sent}, received ${now.received}, lost `
                     + `${now.lost}`);
        await until(() => far.got > got + 25, 'packets of the browser', 30000);
        far.slow = false;
    }

    await until(() => far.n - FIRST >= ALL, 'all numbers', 300000);

    const end = await until(async () => {
        const d = await decoded(leg);

        return d.received > 0.6 * ALL && d;
    }, 'packets', 30000);

    t.diagnostic(`sent ${far.sent}, received ${end.received}, lost `
                 + `${end.lost}, concealed ${end.concealed}`);
    assert.equal(far.wraps, 2);
    await helper.ng({ command: 'delete', ...id, 'delete-delay': 0 });
    await leg.close();
    helper.sound();
});
