/* Copyright (C) the IMS portal authors */

/*
 * Firefox ESR and the helper, with Chromium or another Firefox beyond it:
 * VP8, hold, video that comes and goes, both DTLS roles.  Each browser has a
 * tone of its own.
 */

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { Firefox } from './firefox.mjs';
import { Browser, MIC, sleep, until } from './lib.mjs';
import { Helper, Pair, Site, legs } from './pair.mjs';

const here = { tmp: process.env.HOME };
const chromium = new Browser(here);
const firefox = new Firefox(here, { tone: 700 });
const other = new Firefox(here, { tone: MIC });
const site = new Site();
const serial = { concurrency: false, timeout: 300000 };
const VP8 = { codec: { offer: ['VP8'], strip: ['H264'] } };
let helper;


before(async () => {
    await site.start();
    await chromium.start();
    await firefox.start();
});

after(async () => {
    for (const browser of [chromium, firefox, other]) {
        await browser.stop();
    }

    site.stop();
});

/* also of a test that failed */
afterEach(async () => {
    for (const browser of [chromium, firefox, other]) {
        await browser.clean();
    }

    await helper?.stop();
});


async function pair(browsers, keys = {}) {
    helper = new Helper();
    await helper.start();

    return new Pair(helper, ...await legs(browsers, site, { video: true }),
                    { all: VP8, ...keys });
}


/** Waits until nothing of a kind comes to a leg any more. */
async function silent(leg, kind) {
    /* a browser that does not receive may have no such figure at all */
    const received = async () => (await leg.stats())[kind].received ?? 0;

    await until(async () => {
        const before = await received();

        await sleep(500);

        return await received() - before <= 2;
    }, `no ${kind}`, 30000);
}


async function roles(p, t, role) {
    const stats = await p.flows(t);

    assert.deepEqual(stats.map((s) => s.role), [role, role]);

    return stats;
}


test('Firefox calls Chromium: audio and VP8', serial, async (t) => {
    const p = await pair([firefox, chromium]);

    await p.negotiate();
    assert.match(p.plain, /a=rtpmap:\d+ VP8\//);

    for (const { video } of await roles(p, t, 'client')) {
        assert.equal(video.codec, 'video/VP8');
    }

    await p.end();
});


test('hold and resume by Firefox and by the other', serial, async (t) => {
    const p = await pair([firefox, chromium]);

    await p.negotiate();
    await p.flows(t);

    for (const n of [0, 1]) {
        const [holder, held] = n === 0 ? p.legs : [...p.legs].reverse();

        await holder.direction('sendonly');
        await p.negotiate(n);
        await silent(holder, 'audio');
        await silent(holder, 'video');

        /* who is held still hears and sees */
        await p.picture(t, holder, held);

        await held.direction('sendrecv');
        await holder.direction('sendrecv');
        await p.negotiate(n);
        await p.flows(t);
    }

    await p.end();
});


test('video goes and comes back, by either side', serial, async (t) => {
    const p = await pair([chromium, firefox]);

    await p.negotiate();
    await p.flows(t);

    for (const n of [0, 1]) {
        const [one, two] = n === 0 ? p.legs : [...p.legs].reverse();

        await one.direction('recvonly', 'video');
        await p.negotiate(n);
        await silent(two, 'video');
        await p.picture(t, two, one);

        await two.direction('sendrecv', 'video');
        await one.direction('sendrecv', 'video');
        await p.negotiate(n);
        await p.flows(t);
    }

    await p.end();
});


/* offers are actpass: who answers has the choice */
test('two Firefoxes, the helper active in DTLS', serial, async (t) => {
    await other.start();

    const p = await pair([firefox, other], { answer: { DTLS: 'active' } });

    await p.negotiate(0, {
        change: (sdp) => sdp.replace(/a=setup:active/g, 'a=setup:passive'),
    });
    await roles(p, t, 'server');

    /* as an offer of the other one, in which the roles stay */
    await p.negotiate(1);
    await roles(p, t, 'server');
    await p.end();
});
