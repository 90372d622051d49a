/* Copyright (C) the IMS portal authors */

/*
 * A browser whose address is another one in mid-call, as when it leaves a
 * wireless network: the page finds that out by itself and restarts ICE, and
 * the same call goes on.  ipv6.test.mjs has one that goes to another family.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Browser, Demo, MIC, audio, sleep, until } from './lib.mjs';
import { Wire } from './wire.mjs';

const wire = new Wire();
const demo = new Demo({ WATCH: 'no', ECHO: 'farend' });
const browser = new Browser(demo, [], { loopback: false });


before(async () => {
    wire.start();
    wire.add('192.0.2.10/24', '192.0.2.1');
    await demo.start();
    await browser.start();
});

after(async () => {
    wire.stop();
    await browser.stop();
    await demo.stop();
});


/** The page's own address of the way that the media takes. */
function way(mary) {
    return mary.page.evaluate(async () => {
        const pc = document.querySelector('ims-phone').call.connection;
        const report = await pc.getStats();
        const of = [...report.values()].find((s) => s.type === 'transport');
        const pair = report.get(of.selectedCandidatePairId);

        return pair?.state === 'succeeded'
               && report.get(pair.localCandidateId).address;
    });
}


test('the address changes, at once and with a gap', async (t) => {
    const mary = await browser.user('mary');

    await mary.dial('9197');
    await mary.inState('active', 30000);
    assert.equal(await way(mary), '192.0.2.10');
    await audio(t, mary, 440, MIC);

    const { call } = await demo.call();

    assert.notEqual(call, undefined);

    for (const [from, to, gap] of [['10', '20', 0], ['20', '30', 3000]]) {
        wire.remove(`192.0.2.${from}/24`);
        await sleep(gap);
        wire.add(`192.0.2.${to}/24`, '192.0.2.1');
        await until(async () => await way(mary) === `192.0.2.${to}`,
                    'media by the new address', 60000);
        await audio(t, mary, 440, MIC);

        const far = await demo.call();

        assert.equal(far.call, call, 'no other call');
        assert.equal(far.state, 'established');
    }

    await mary.click('hangup');
    await mary.inState('idle');
    await until(() => demo.mediaPorts().length === 0, 'ports freed');
});
