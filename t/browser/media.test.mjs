/* Copyright (C) the IMS portal authors */

/*
 * Two pages of Chromium and the helper: video, ICE restart, both DTLS roles
 * and with them both SRTP profiles.
 */

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { Browser, sleep, until } from './lib.mjs';
import { Helper, Leg, Pair, Site } from './pair.mjs';

const site = new Site();
const browser = new Browser({ tmp: process.env.HOME });
const serial = { concurrency: false };
let helper;


before(async () => {
    await site.start();
    await browser.start();
});

after(async () => {
    await browser.stop();
    site.stop();
});

/* also of a test that failed */
afterEach(async () => {
    for (const context of browser.browser.contexts()) {
        await context.close();
    }

    await helper?.stop();
});


async function pair({ video = false, keys = {}, ...options } = {}) {
    const leg = async (color) => {
        const context = await browser.browser.newContext();
        const one = new Leg(await context.newPage(), { color, video });

        await one.open(site);

        return one;
    };

    helper = new Helper(options);
    await helper.start();

    return new Pair(helper, await leg('#c02020'),
                    await leg('#2020c0'), keys);
}


test('audio and H.264, which is all that goes to the IMS', serial,
     async (t) => {
    const p = await pair({ video: true });

    await p.negotiate();
    assert.match(p.plain, /a=rtpmap:\d+ H264\//);
    assert.doesNotMatch(p.plain, /VP8|VP9|AV1|rtx|red|ulpfec|extmap/i);

    const [a, b] = await p.flows(t);

    assert.equal(a.video.codec, 'video/H264');
    assert.equal(b.video.codec, 'video/H264');
    await p.end();
});


test('audio and VP8 by policy', serial, async (t) => {
    const p = await pair({ video: true, keys: {
        all: { codec: { offer: ['VP8'], strip: ['H264'] } },
    } });

    await p.negotiate();
    assert.match(p.plain, /a=rtpmap:\d+ VP8\//);
    assert.doesNotMatch(p.plain, /H264/);

    const [a, b] = await p.flows(t);

    assert.equal(a.video.codec, 'video/VP8');
    assert.equal(b.video.codec, 'video/VP8');
    await p.end();
});


test('ICE restart by either side: the same keys go on', serial, async (t) => {
    const p = await pair();
    const ufrag = (leg) => leg.page.evaluate(
        () => /ice-ufrag:(\S+)/.exec(pc.localDescription.sdp)[1]);

    await p.negotiate();
    await p.flows(t);

    for (const n of [0, 1]) {
        const before = await ufrag(p.legs[n]);

        await p.negotiate(n, { iceRestart: true });
        assert.notEqual(await ufrag(p.legs[n]), before);
        await p.flows(t);
    }

    await p.end();
});


test('hold and resume from either side', serial, async (t) => {
    const p = await pair();

    await p.negotiate();
    await p.flows(t);

    for (const n of [0, 1]) {
        const [holder, held] = n === 0 ? p.legs : [...p.legs].reverse();

        /* a browser that does not receive has no such figure at all */
        const received = async () => (await holder.stats()).audio.received
                                     ?? 0;

        await holder.direction('sendonly');
        await p.negotiate(n);
        await until(async () => {
            const before = await received();

            await sleep(500);

            return await received() - before <= 2;
        }, 'nothing for who holds', 20000);
        assert.match(await held.page.evaluate(
            () => pc.currentRemoteDescription.sdp), /a=sendonly/);
        assert.match(await holder.page.evaluate(
            () => pc.currentRemoteDescription.sdp), /a=recvonly/);

        await held.direction('sendrecv');
        await holder.direction('sendrecv');
        await p.negotiate(n);
        await p.flows(t);
    }

    await p.end();
});


/* Chromium finds the audio of a bundle without video by its MID alone */
test('audio goes on, whatever becomes of video', serial, async (t) => {
    const p = await pair({ video: true });

    /* both ways, of what comes from now on */
    const heard = async (what) => {
        for (const leg of p.legs) {
            const { audio } = await leg.stats();

            await until(async () => (await leg.stats()).audio.received
                        > audio.received + 50, `audio, ${what}`, 20000);
        }
    };

    for (const direction of ['recvonly', 'inactive', 'sendonly']) {
        await p.legs[0].direction(direction, 'video');
        await p.negotiate();
        await heard(`offered ${direction}`);

        await p.legs[0].direction('sendrecv', 'video');
        await p.negotiate();
        await heard('with video');

        await p.legs[1].direction(direction, 'video');
        await p.negotiate(0);
        await heard(`answered ${direction}`);

        await p.negotiate(1);
        await heard(`the other offers ${direction}`);

        await p.legs[1].direction('sendrecv', 'video');
        await p.negotiate(1);
        await heard('with video again');
    }

    await p.flows(t);
    await p.end();
});


/* offers are actpass: who answers has the choice */
test('the helper in both DTLS roles', serial, async (t) => {
    const p = await pair({ keys: { answer: { DTLS: 'active' } } });

    await p.negotiate(0, {
        change: (sdp) => sdp.replace(/a=setup:active/g, 'a=setup:passive'),
    });

    const active = await p.flows(t);

    assert.deepEqual(active.map((s) => s.role), ['server', 'server']);
    active.forEach((s) => assert.match(s.srtp, /AES128_CM_HMAC_SHA1_80/));
    await p.end();

    for (const context of browser.browser.contexts()) {
        await context.close();
    }

    await helper.stop();

    const q = await pair();

    await q.negotiate();

    const passive = await q.flows(t);

    assert.deepEqual(passive.map((s) => s.role), ['client', 'client']);
    passive.forEach((s) => assert.match(s.srtp, /AEAD_AES_128_GCM/));
    await q.end();
});
