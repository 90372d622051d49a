/* Copyright (C) the IMS portal authors */

/*
 * Two pages of a Chromium that has IPv6 only, by a helper with nothing but
 * IPv6 on both sides, and by one whose IMS side has IPv4 only; and a Chromium
 * that has to leave IPv4 for IPv6 in mid-call.
 */

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { Browser, until } from './lib.mjs';
import { Helper, Pair, Site, legs } from './pair.mjs';
import { Wire } from './wire.mjs';

const HERE = 'fd51::1', HELPER = 'fd52::1', IMS = 'fd52::2';
const V4 = '198.51.100.1';
const wire = new Wire();
const site = new Site();
const browser = new Browser({ tmp: process.env.HOME }, [],
                            { loopback: false });
const serial = { concurrency: false };
let helper;


before(async () => {
    wire.start();
    wire.add(`${HERE}/64`, 'fd51::2');
    wire.other(`${HELPER}/128`);
    wire.other(`${IMS}/128`);
    wire.other(`${V4}/32`);
    await site.start();
    await browser.start();
});

after(async () => {
    wire.stop();
    await browser.stop();
    site.stop();
});

afterEach(async () => {
    for (const context of browser.browser.contexts()) {
        await context.close();
    }

    await helper?.stop();
});


async function pair(options) {
    helper = new Helper({ address: HELPER, ...options });
    await helper.start();

    return new Pair(helper, ...await legs(browser, site, { video: true }));
}


/* the addresses of an SDP's lines of one kind: nothing else is used */
const of = (sdp, line) => [...new Set(
    [...sdp.matchAll(line)].map((m) => m[1]))];

async function six(t, p) {
    const stats = await p.flows(t);

    for (const s of stats) {
        assert.equal(s.local.address, HERE);
        assert.equal(s.remote.address, HELPER);
    }

    for (const { page } of p.legs) {
        const [mine, its] = await page.evaluate(
            () => [pc.localDescription.sdp, pc.remoteDescription.sdp]);

        assert.deepEqual(of(mine, /candidate:\S+ 1 \S+ \d+ (\S+)/g), [HERE]);
        assert.deepEqual(of(its, /candidate:\S+ 1 \S+ \d+ (\S+)/g), [HELPER]);
        assert.deepEqual(of(its, /c=IN (.+?)\r/g), [`IP6 ${HELPER}`]);
    }
}


test('audio and video by IPv6 alone, and over an ICE restart', serial,
     async (t) => {
    const p = await pair({ ims: IMS });

    await p.negotiate();
    assert.deepEqual(of(p.plain, /[oc]=.*IN (.+?)\r/g), [`IP6 ${IMS}`]);
    await six(t, p);
    await p.negotiate(1, { iceRestart: true });
    await six(t, p);
    await p.end();
});


test('by IPv6 to browsers, by IPv4 to the IMS', serial, async (t) => {
    const p = await pair({ ims: '127.0.0.1' });

    await p.negotiate();
    assert.deepEqual(of(p.plain, /[oc]=.*IN (.+?)\r/g), ['IP4 127.0.0.1']);
    await six(t, p);
    await p.end();
});


test('from IPv4 to IPv6 in mid-call', serial, async (t) => {
    wire.remove(`${HERE}/64`);
    wire.add('192.0.2.10/24', '192.0.2.1');

    const p = await pair({ address: `${V4},${HELPER}`, ims: '127.0.0.1' });
    const way = (stats) => stats.map((s) => s.remote.address);

    await p.negotiate();
    assert.deepEqual(way(await p.flows(t)), [V4, V4]);
    wire.remove('192.0.2.10/24');
    wire.add(`${HERE}/64`, 'fd51::2');
    await until(async () => (await Promise.all(p.legs.map(
        (leg) => leg.page.evaluate(() => pc.iceConnectionState))))
        .every((state) => state !== 'connected'), 'lost', 60000);
    await p.negotiate(0, { iceRestart: true, connected: false });
    await p.negotiate(1, { iceRestart: true });

    /* what was lost meanwhile is counted with the first packets */
    for (const leg of p.legs) {
        const start = await leg.stats();

        await until(async () => {
            const now = await leg.stats();

            return ['audio', 'video'].every(
                (kind) => now[kind].received > start[kind].received + 40);
        }, 'packets', 60000);
    }

    assert.deepEqual(way(await p.flows(t)), [HELPER, HELPER]);
    await p.end();
});
