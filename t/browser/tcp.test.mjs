/* Copyright (C) the IMS portal authors */

/*
 * Two pages of a Chromium that may not use UDP, as behind a firewall that lets
 * TCP out only: ICE-TCP (RFC 6544) to the helper, which accepts it by "-T".
 */

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { Browser } from './lib.mjs';
import { Helper, Leg, Pair, Site } from './pair.mjs';

const TCP = 40001;
const site = new Site();
const here = { tmp: process.env.HOME };
const free = new Browser(here);
const walled = new Browser(here, [
    '--webrtc-ip-handling-policy=disable_non_proxied_udp',
    '--force-webrtc-ip-handling-policy=disable_non_proxied_udp',
]);
const serial = { concurrency: false };
let helper;


before(async () => {
    await site.start();
    await free.start();
    await walled.start();
});

after(async () => {
    await free.stop();
    await walled.stop();
    site.stop();
});

afterEach(async () => {
    for (const context of [free, walled].flatMap(
        (b) => b.browser.contexts()))
    {
        await context.close();
    }

    await helper?.stop();
});


/** A call between two browsers, by a helper with these options. */
async function pair(a, b, args) {
    const leg = async (browser) => {
        const context = await browser.browser.newContext();
        const one = new Leg(await context.newPage(), { color: '#c02020' });

        await one.open(site);

        return one;
    };

    helper = new Helper({ args });
    await helper.start();

    return new Pair(helper, await leg(a), await leg(b));
}

const ways = (stats) => stats.map((s) => s.remote?.protocol);


test('without UDP the media goes by TCP', serial, async (t) => {
    const p = await pair(walled, walled, ['-T', String(TCP)]);

    await p.negotiate();

    const stats = await p.flows(t);

    assert.deepEqual(ways(stats), ['tcp', 'tcp']);
    assert.deepEqual(stats.map((s) => s.remote.port), [TCP, TCP]);

    /* and over another offer, with new credentials */
    await p.negotiate(1, { iceRestart: true });
    assert.deepEqual(ways(await p.flows(t)), ['tcp', 'tcp']);
    await p.end();
});


test('with UDP the media goes by UDP, and to one without', serial,
     async (t) => {
    const p = await pair(free, walled, ['-T', String(TCP)]);

    await p.negotiate();
    assert.deepEqual(ways(await p.flows(t)), ['udp', 'tcp']);
    await p.end();
});
