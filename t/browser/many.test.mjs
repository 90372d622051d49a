/* Copyright (C) the IMS portal authors */

/*
 * Several browsers at a time: users on different workers, one user in two
 * browsers, a page that is loaded again.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Browser, Demo, MIC, sleep, until } from './lib.mjs';

const names = ['ann', 'bob', 'cem', 'dia', 'eva', 'fay'];
const demo = new Demo({ USERS: names.join(' '), ECHO: 'farend' });
const browser = new Browser(demo);
const serial = { concurrency: false };
const phones = [];


before(async () => {
    await demo.start();
    await browser.start();
});

after(async () => {
    await browser.stop();
    await demo.stop();
});


test('six users, six identities', serial, async (t) => {
    for (const name of names) {
        phones.push(await browser.user(name));
    }

    const identities = await Promise.all(phones.map((p) => p.identity()));

    t.diagnostic(identities.join(' '));
    assert.equal(new Set(identities).size, names.length);
    assert.deepEqual(demo.contacts().map((c) => c.impu).sort(),
                     [...identities].sort());
});


/* The kernel decides which worker a browser gets: some pairs share one. */
test('everybody calls somebody', serial, async (t) => {
    const pairs = [[0, 1], [2, 3], [4, 5]].map(
        ([a, b]) => [phones[a], phones[b]]);

    for (const [a, b] of [...pairs, ...pairs.map(([x, y]) => [y, x])]) {
        await a.dial((await b.identity()).slice(4));
        await b.inState('ringing');
        await b.click('answer');
        await a.inState('active');
        await b.inState('active');
        await until(async () => (await a.counters()).received > 25, 'packets');

        const [here, there] = [await a.hear(), await b.hear()];

        t.diagnostic(`${here.freq.toFixed(1)} Hz, ${there.freq.toFixed(1)} `
                     + 'Hz');
        assert.ok(Math.abs(here.freq - MIC) < 5);
        assert.ok(Math.abs(there.freq - MIC) < 5);

        await b.click('hangup');
        await a.inState('idle');
    }

    await until(() => demo.mediaPorts().length === 0, 'ports freed');
});


test('one user, two browsers: both ring, one answers', serial, async (t) => {
    const [ann] = phones;
    const second = await browser.user('ann');
    const identity = await ann.identity();

    assert.equal(await second.identity(), identity);

    const contacts = demo.contacts().filter((c) => c.impu === identity);

    t.diagnostic(contacts.map((c) => c.contact).join(' '));
    assert.equal(contacts.length, 2);
    assert.notEqual(contacts[0].contact, contacts[1].contact);

    const { call } = await demo.farend(`call ${identity} tone 660`);

    await ann.inState('ringing');
    await second.inState('ringing');
    await second.click('answer');
    await second.inState('active');
    await ann.inState('idle');

    const heard = await second.hear();

    assert.ok(Math.abs(heard.freq - 660) < 5, `${heard.freq} Hz`);
    await demo.farend(`hangup ${call}`);
    await second.inState('idle');
    await until(() => demo.mediaPorts().length === 0, 'ports freed');

    await second.page.context().close();
    await until(() => demo.contacts().filter(
        (c) => c.impu === identity).length === 1, 'one binding', 90000);
});


test('the page is loaded again', serial, async (t) => {
    const [, bob] = phones;
    const identity = await bob.identity();
    const contact = () => demo.contacts().filter((c) => c.impu === identity);
    const before = contact();

    for (let i = 0; i < 3; i++) {
        await bob.page.reload();
        await bob.registered();
    }

    assert.equal(await bob.identity(), identity);
    t.diagnostic(`${before[0].contact} ${contact()[0].contact}`);
    assert.deepEqual(contact(), before, 'the same binding');

    /* in a call: the far end hears of it */
    await bob.dial('9197');
    await bob.inState('active');
    await bob.page.reload();
    assert.equal((await until(async () => {
        const call = await demo.call();

        return call.state === 'ended' && call;
    }, 'BYE')).why, 'bye received');
    await until(() => demo.mediaPorts().length === 0, 'ports freed');
    await bob.registered();
    await demo.farend(`call ${identity} tone 660`);
    await bob.inState('ringing');
    await bob.click('answer');
    await bob.inState('active');
    await bob.click('hangup');
    await bob.inState('idle');
});


test('a reload with everybody in it', serial, async (t) => {
    demo.reload();
    await sleep(500);

    const [ann, bob] = phones;

    /* old worker to old worker, and to wherever they are afterwards */
    for (let i = 0; i < 4; i++) {
        await ann.registered(40000);
        await bob.registered(40000);
        await ann.dial((await bob.identity()).slice(4));
        await bob.inState('ringing');
        await bob.click('answer');
        await ann.inState('active');
        await ann.click('hangup');
        await bob.inState('idle');
        await sleep(3000);
    }

    /* 30 s until the last browser has been moved, 30 s of grace for it */
    const start = Date.now();

    await until(() => demo.children('nginx').length === 2, 'old workers gone',
                120000);
    t.diagnostic(`old workers gone after ${Date.now() - start} ms`);
    await Promise.all(phones.map((p) => p.registered(40000)));

    const contacts = demo.contacts();

    t.diagnostic(`${contacts.length} contacts`);
    assert.equal(contacts.length, names.length, 'no binding lost or dead');
});
