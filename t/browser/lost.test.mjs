/* Copyright (C) the IMS portal authors */

/*
 * Media that is lost in mid-call, through the whole portal: the helper misses
 * the browser's consent, the portal ends the call, and both ends hear why.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Browser, Demo, MIC, audio, until } from './lib.mjs';
import { Wire } from './wire.mjs';

const HELPER = '198.51.100.1';
const wire = new Wire();
const demo = new Demo({ WATCH: 'no', ECHO: 'farend',
                        MEDIA_OPTIONS: `-e 6 -w ${HELPER}:40000` });
const browser = new Browser(demo, [], { loopback: false });
const serial = { concurrency: false };
let mary;


before(async () => {
    wire.start();
    wire.add('192.0.2.10/24', '192.0.2.1');
    wire.other(`${HELPER}/32`);
    await demo.start();
    await browser.start();
    mary = await browser.user('mary');
});

after(async () => {
    wire.stop();
    await browser.stop();
    await demo.stop();
});


async function call(t) {
    await mary.dial('9197');
    await mary.inState('active', 30000);
    await audio(t, mary, 440, MIC);
}


/** The far end has its BYE with the reason. */
async function farEnds(t) {
    const start = Date.now();
    const far = await until(async () => {
        const c = await demo.call();

        return c.state === 'ended' && c;
    }, 'BYE at the far end', 60000);

    t.diagnostic(`"${far.why}", ${far.reason}, after `
                 + `${Date.now() - start} ms`);
    assert.equal(far.why, 'bye received');
    assert.equal(far.reason, 'SIP;cause=503;text="media lost"');
}


async function pageTells() {
    await mary.inState('idle', 30000);
    await until(async () => await mary.text('error')
                            === 'The sound connection was lost.', 'the cause');
    await until(() => demo.mediaPorts().length === 0, 'ports freed');
}


test('the page closes its connection and says nothing', serial, async (t) => {
    await call(t);
    await mary.page.evaluate(() => document.querySelector('ims-phone').call
        .connection.close());
    await farEnds(t);
    await pageTells();
});


test('there is no way for UDP any more', serial, async (t) => {
    await call(t);
    wire.cut(`${HELPER}/32`);
    await farEnds(t);
    await pageTells();
    wire.other(`${HELPER}/32`);
});


test('the page does not run', serial, async (t) => {
    const session = await browser.browser.newBrowserCDPSession();
    const { processInfo } = await session.send('SystemInfo.getProcessInfo');
    const pages = processInfo.filter(({ type }) => type === 'renderer')
        .map(({ id }) => id);
    const signal = (name) => pages.forEach((id) => process.kill(id, name));

    assert.notEqual(pages.length, 0);
    await call(t);
    signal('SIGSTOP');

    try {
        await farEnds(t);

    } finally {
        signal('SIGCONT');
    }

    await pageTells();

    /* and the next one is as any other */
    await call(t);
    await mary.click('hangup');
    await mary.inState('idle');
});
