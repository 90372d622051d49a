/* Copyright (C) the IMS portal authors */

/*
 * The demonstration with Firefox ESR as Mary.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Firefox } from './firefox.mjs';
import { Demo, MIC, audio, sleep, until } from './lib.mjs';

const demo = new Demo({ ECHO: 'farend' });
const browser = new Firefox(demo);
const serial = { concurrency: false };
let mary;


before(async () => {
    await demo.start();
    await browser.start();
});

after(async () => {
    await browser.stop();
    await demo.stop();
});


async function over() {
    await mary.inState('idle', 30000);
    await until(() => demo.mediaPorts().length === 0, 'ports freed', 30000);
}


test('registers', serial, async (t) => {
    mary = await browser.user('mary');
    t.diagnostic(`${await browser.version()}, ${await mary.identity()}`);
    assert.equal(demo.contacts()[0].impu, await mary.identity());
});


test('calls, is heard, hears', serial, async (t) => {
    await mary.dial('9197');
    await mary.inState('active', 30000);
    await audio(t, mary, 440, MIC);
});


test('holds and takes up again', serial, async (t) => {
    const reinvited = (n) => until(async () => {
        const call = await demo.call();

        return call.reinvites >= n && call;
    }, `re-INVITE ${n} at the far end`, 30000);

    await mary.click('hold');
    await mary.inState('held', 30000);

    const held = await reinvited(1);

    assert.equal(held.send && held.receive, false, 'one way at most');
    await mary.settled();
    await mary.click('hold');
    await mary.inState('active', 30000);
    await reinvited(2);
    await mary.settled();
    await audio(t, mary, 440, MIC);
});


test('is put on hold by the far end', serial, async (t) => {
    await demo.farend('hold');
    await mary.inState('held', 30000);
    await demo.farend('reset');
    await sleep(500);
    assert.ok((await demo.call()).packets <= 2, 'nothing for who holds');
    await demo.farend('resume');
    await mary.inState('active', 30000);
    await audio(t, mary, 440, MIC);
});


test('sends digits, hangs up', serial, async (t) => {
    for (const key of ['1', '5', '9', 'hash']) {
        await mary.click(`key-${key}`);
    }

    const far = await until(async () => {
        const call = await demo.call();

        return call.dtmf.length + call.info.length >= 4 && call;
    }, 'digits', 30000);

    t.diagnostic(`telephone-event "${far.dtmf}", INFO "${far.info}"`);
    assert.equal(far.dtmf, '159#');
    await mary.click('hangup');
    await over();
});


test('is called, with an offer and without', serial, async (t) => {
    for (const late of ['', ' late']) {
        await demo.farend(`call ${await mary.identity()} tone 660${late}`);
        await mary.inState('ringing', 30000);
        await mary.click('answer');
        await mary.inState('active', 30000);
        await audio(t, mary, 660, MIC);
        await demo.farend('hangup');
        await over();
    }
});


test('without an error in page or log', serial, () => {
    assert.deepEqual(mary.errors, []);

    for (const name of ['nginx', 'media']) {
        assert.doesNotMatch(demo.log(name),
            /\[(alert|emerg|crit)\]|AddressSanitizer|runtime error:/, name);
    }
});
