/* Copyright (C) the IMS portal authors */

/*
 * The demonstration as "make demo ADDR=..." serves it: https with a
 * certificate made on the spot, and so WebSocket over TLS.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Browser, Demo, MIC, audio, until } from './lib.mjs';

const demo = new Demo({ ADDR: '127.0.0.1', ECHO: 'farend' });
const browser = new Browser(demo);


before(async () => {
    await demo.start();
    await browser.start();
});

after(async () => {
    await browser.stop();
    await demo.stop();
});


test('registers and calls over TLS', { concurrency: false }, async (t) => {
    const mary = await browser.user('mary');
    const { websocket } = await mary.page.evaluate(
        () => document.querySelector('ims-phone').portal.session);

    assert.equal(websocket, 'wss://127.0.0.1:8443/ims/sip');
    t.diagnostic(websocket);
    await mary.dial('9196');
    await mary.inState('active');
    await audio(t, mary, MIC, MIC);

    await demo.reload();
    await audio(t, mary, MIC, MIC);
    await mary.click('hangup');
    await mary.inState('idle');
    await until(() => demo.mediaPorts().length === 0, 'ports freed');
});


test('plain http and plain WebSocket are not served', async () => {
    await assert.rejects(fetch('http://127.0.0.1:8080/'));

    const response = await fetch('http://127.0.0.1:8443/');

    assert.equal(response.status, 400);
});
