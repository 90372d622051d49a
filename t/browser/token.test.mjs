/* Copyright (C) the IMS portal authors */

/*
 * Tokens that last a quarter of a minute: the phone outlives them, in a call,
 * on one socket; without a way to renew it says so; a log-out gives the
 * identity back.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Browser, Demo, MIC, audio, sleep, until } from './lib.mjs';

const LIFE = 14;

const demo = new Demo({ TOKEN_LIFE: String(LIFE), TOKEN_LEEWAY: '0',
                        ECHO: 'farend' });
const browser = new Browser(demo);
const serial = { concurrency: false };
let mary, john;


/* what a socket of the page was closed with, and how many there were */
function watchSockets(phone) {
    phone.sockets = 0;
    phone.page.on('websocket', (ws) => {
        phone.sockets++;
        ws.on('close', () => { phone.lost = (phone.lost ?? 0) + 1; });
    });
}


const expires = (phone) => phone.page.evaluate(
    () => document.querySelector('ims-phone').portal.session.expires);


before(async () => {
    await demo.start();
    await browser.start();
});

after(async () => {
    await browser.stop();
    await demo.stop();
});


test('a call goes on over two renewals', serial, async (t) => {
    mary = await browser.user('mary');
    watchSockets(mary);

    const first = await expires(mary);

    await mary.dial('9197');
    await mary.inState('active');
    await until(async () => await expires(mary) > first + LIFE,
                'two tokens later', 3 * LIFE * 1000);
    await sleep(Math.max(0, (first + 2) * 1000 - Date.now()));

    assert.equal(await mary.callState(), 'active');
    await audio(t, mary, 440, MIC);
    assert.equal(mary.sockets, 0, 'no other socket');
    assert.equal(mary.lost ?? 0, 0, 'none was lost');
    assert.equal(demo.contacts().length, 1, 'registered at the core');
    assert.match(demo.log('nginx'), /the token of "mary" is renewed/);
    await mary.click('hangup');
    await mary.inState('idle');
    assert.deepEqual(mary.errors, []);
});


test('without a way to renew the call finishes, and the page is told',
     serial, async () => {
    john = await browser.user('john');

    await john.page.evaluate(() => {
        const phone = document.querySelector('ims-phone');
        const fresh = phone.cloneNode();

        window.told = 0;
        fresh.removeAttribute('renew');
        fresh.addEventListener('ims-token-expired', () => { window.told++; });
        phone.replaceWith(fresh);
    });
    await john.registered();
    await john.dial('9197');
    await john.inState('active');

    await until(() => john.page.evaluate(() => window.told), 'told',
                2 * LIFE * 1000);
    assert.equal(await john.callState(), 'active', 'the call goes on');
    await sleep(2000);

    const before = (await john.counters()).received;

    await sleep(1000);
    assert.ok((await john.counters()).received > before + 25, 'is heard');
    await john.click('hangup');
    await john.inState('idle');
    await until(async () => (await demo.farend('calls')).every(
        (c) => c.state === 'ended'), 'BYE at the far end');
    await until(() => /has no token any more/.test(demo.log('nginx')),
                'closed behind its call');
});


test('a log-out gives the identity back', serial, async () => {
    await mary.page.click('#logout button');
    await mary.page.waitForSelector('#login-page:not([hidden])');
    await until(() => demo.contacts().length === 0, 'de-registered');
    assert.match(demo.log('access'), /"DELETE \/ims\/session [^"]*" 204 /);
});
