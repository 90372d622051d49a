/* Copyright (C) the IMS portal authors */

/*
 * The demonstration with parts that fail: the media helper, the core, a
 * worker of nginx.  What Mary sees, and that all is well afterwards without
 * a restart of anything else.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Browser, Demo, MIC, audio, sleep, until } from './lib.mjs';

const demo = new Demo({ WATCH: 'no', ECHO: 'farend' });
const browser = new Browser(demo);
const serial = { concurrency: false };
let mary;


before(async () => {
    await demo.start();
    await browser.start();
    mary = await browser.user('mary');
});

after(async () => {
    await browser.stop();
    await demo.stop();
});


/** Dials and waits for the page to say that it did not work. */
async function fails(ms) {
    const start = Date.now();

    await mary.dial('9197');
    await until(async () => await mary.callState() === 'idle'
                            && await mary.text('error') !== '', 'refused', ms);

    return { text: await mary.text('error'), ms: Date.now() - start };
}


async function works(t) {
    await mary.dial('9197');
    await mary.inState('active');
    await audio(t, mary, 440, MIC);
    await mary.click('hangup');
    await mary.inState('idle');
    await until(() => demo.mediaPorts().length === 0, 'ports freed');
}


async function message() {
    const text = `at ${Date.now()}`;

    await mary.get('msg-to').fill('alice');
    await mary.get('msg-text').fill(text);
    await mary.click('msg-send');
    await until(async () => (await demo.farend('messages')).some(
        (m) => m.body === text), 'message');
}


test('media helper does not answer', serial, async (t) => {
    process.kill(demo.pid('media'), 'SIGSTOP');

    const { text, ms } = await fails(20000);

    t.diagnostic(`"${text}" after ${ms} ms`);
    await message();
    process.kill(demo.pid('media'), 'SIGCONT');
    await sleep(500);
    await until(() => demo.mediaPorts().length === 0, 'nothing is left there');
    await works(t);
});


test('core does not answer', serial, async (t) => {
    process.kill(-demo.core(), 'SIGSTOP');

    const { text, ms } = await fails(60000);

    t.diagnostic(`"${text}" after ${ms} ms`);
    process.kill(-demo.core(), 'SIGCONT');
    await until(() => demo.mediaPorts().length === 0, 'ports freed', 40000);
    await mary.registered(40000);
    await until(() => works(t).then(() => true), 'works again', 60000);
});


test('every worker is killed in mid-call', serial, async (t) => {
    await mary.dial('9197');
    await mary.inState('active');
    await until(async () => (await demo.call()).packets > 25, 'packets');
    await demo.farend('reset');

    for (const pid of demo.children('nginx')) {
        process.kill(pid, 'SIGKILL');
    }

    await sleep(3000);

    const far = await demo.call();

    t.diagnostic(`${far.state}, longest gap ${far.max_gap_ms} ms, lost `
                 + `${far.lost}`);
    assert.equal(far.state, 'established');
    assert.equal(far.lost, 0, 'the sound goes on');
    assert.ok(far.max_gap_ms < 500, `gap of ${far.max_gap_ms} ms`);
    await mary.registered(40000);
    assert.equal(await mary.callState(), 'active');
    assert.equal(demo.contacts().length, 1, 'no dead binding');
    await audio(t, mary, 440, MIC);

    /* the dialog has outlived the worker */
    await mary.click('hangup');
    assert.equal((await until(async () => {
        const call = await demo.call();

        return call.state === 'ended' && call;
    }, 'BYE at the far end')).why, 'bye received');
    await until(() => demo.mediaPorts().length === 0, 'ports freed');
    await mary.inState('idle');
    await works(t);
});


test('media helper is killed in mid-call and comes back', serial,
     async (t) => {
    await mary.dial('9197');
    await mary.inState('active');
    process.kill(demo.pid('media'), 'SIGKILL');
    await sleep(500);
    await mary.click('hangup');
    await mary.inState('idle');

    const { text, ms } = await fails(20000);

    t.diagnostic(`without a helper: "${text}" after ${ms} ms`);
    await message();
    demo.restartMedia();
    await until(() => works(t).then(() => true), 'works again', 40000);
});
