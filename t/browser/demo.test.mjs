/* Copyright (C) the IMS portal authors */

/*
 * The demonstration as a test: headless Chromium is Mary.  Everything else
 * is what "make demo" starts.  t/browser/run puts all of it in a network
 * namespace of its own.
 */

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { Browser, Demo, MIC, audio, sleep, until } from './lib.mjs';

const demo = new Demo();
const browser = new Browser(demo);
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

/* A test that fails in a call must not fail the next one as well. */
afterEach(async () => {
    if (mary && !mary.page.isClosed() && await mary.callState() !== 'idle') {
        await mary.page.evaluate(
            () => document.querySelector('ims-phone').call?.hangup());
        await mary.inState('idle').catch(() => {});
    }

    for (const call of await demo.farend('calls')) {
        if (call.state !== 'ended') {
            await demo.farend(`hangup ${call.call}`);
        }
    }
});



test('registers', serial, async (t) => {
    mary = await browser.user('mary');

    const identity = await mary.identity();
    const contacts = demo.contacts();

    t.diagnostic(`${identity}, core has ${JSON.stringify(contacts)}`);
    assert.match(identity, /^sip:u\d{3}@acme\.ims\.operator\.example$/);
    assert.equal(contacts.length, 1, 'one binding');
    assert.equal(contacts[0].impu, identity);
    assert.equal(await mary.text('state'), 'Ready');
    await mary.shot('registered');
});


test('calls, is heard, hears', serial, async (t) => {
    await mary.dial('9197');
    await mary.inState('active');
    await audio(t, mary, 440, MIC);
    await mary.shot('in-call');
});


test('sends digits', serial, async (t) => {
    await mary.dial('9197');
    await mary.inState('active');
    await until(async () => (await demo.call()).packets > 10, 'packets');

    for (const key of ['1', '5', '9', 'hash']) {
        await mary.click(`key-${key}`);
    }

    const far = await until(async () => {
        const call = await demo.call();

        return call.dtmf.length + call.info.length >= 4 && call;
    }, 'digits');

    t.diagnostic(`far end has "${far.dtmf}" by telephone-event, INFO `
                 + `"${far.info}"`);
    assert.equal(far.dtmf, '159#');
});


test('holds and takes up again', serial, async (t) => {
    await mary.dial('9197');
    await mary.inState('active');
    await until(async () => (await demo.call()).packets > 10, 'packets');

    /* the page shows what was asked for before the far end has agreed */
    const reinvited = (n) => until(async () => {
        const call = await demo.call();

        return call.reinvites >= n && call;
    }, `re-INVITE ${n} at the far end`);

    await mary.click('hold');
    await mary.inState('held');

    const held = await reinvited(1);

    assert.equal(held.reinvites, 1);
    assert.equal(held.send && held.receive, false, 'one way at most');
    await mary.settled();
    await mary.click('hold');
    await mary.inState('active');

    const taken = await reinvited(2);

    t.diagnostic(`held: send ${held.send} receive ${held.receive}; then: `
                 + `send ${taken.send} receive ${taken.receive}`);
    assert.equal(taken.reinvites, 2);
    assert.equal(taken.send && taken.receive, true);
    await audio(t, mary, 440, MIC);
});


test('is put on hold by the far end', serial, async (t) => {
    await mary.dial('9197');
    await mary.inState('active');
    await until(async () => (await demo.call()).packets > 10, 'packets');
    await demo.farend('hold');
    await mary.inState('held');
    await demo.farend('reset');
    await sleep(500);

    const held = await demo.call();

    t.diagnostic(`held: ${held.packets} packets in 500 ms`);
    assert.ok(held.packets <= 2, 'nothing is sent to who holds');
    await demo.farend('resume');
    await mary.inState('active');
    await audio(t, mary, 440, MIC);
});


test('mutes', serial, async (t) => {
    await mary.dial('9197');
    await mary.inState('active');
    await until(async () => (await demo.call()).energy_db > -35, 'tone');
    await mary.click('mute');

    const far = await until(async () => {
        const call = await demo.call();

        return call.energy_db < -60 && call;
    }, 'silence');

    t.diagnostic(`far end hears ${far.energy_db} dB, still ${far.packets} `
                 + 'packets');
});


test('hangs up', serial, async (t) => {
    await mary.dial('9197');
    await mary.inState('active');
    await mary.click('hangup');
    await mary.inState('idle');

    const far = await until(async () => {
        const call = await demo.call();

        return call.state === 'ended' && call;
    }, 'BYE at the far end');

    t.diagnostic(`far end: ${far.why}`);
    assert.equal(far.why, 'bye received');
    await until(() => demo.mediaPorts().length === 0, 'ports freed');
});


test('the far end hangs up', serial, async () => {
    await mary.dial('9197');
    await mary.inState('active');
    await demo.farend('hangup');
    await mary.inState('idle');
    await until(() => demo.mediaPorts().length === 0, 'ports freed');
});


test('cancels', serial, async () => {
    await demo.farend('service 9195=ring');
    await mary.dial('9195');
    await mary.inState('ringing');
    await mary.click('hangup');
    await mary.inState('idle');
    assert.equal((await until(async () => {
        const call = await demo.call();

        return call.state === 'ended' && call;
    }, 'CANCEL at the far end')).why, 'cancelled');
    await until(() => demo.mediaPorts().length === 0, 'ports freed');
});


test('echo of baresip', serial, async (t) => {
    await mary.dial('9196');
    await mary.inState('active');
    await audio(t, mary, MIC, null);
    await mary.click('hangup');
    await mary.inState('idle');
});


test('busy, unknown', serial, async (t) => {
    for (const number of ['9199', '1234', 'u150@acme.ims.operator.example']) {
        await mary.dial(number);
        await until(async () => await mary.callState() === 'idle'
                                && await mary.text('error') !== '', 'refused');
        t.diagnostic(`${number}: "${await mary.text('error')}"`);
    }

    await mary.shot('unknown');
    await until(() => demo.mediaPorts().length === 0, 'ports freed');
});


test('is called back, answers', serial, async (t) => {
    await mary.dial('9198');
    await mary.inState('active');
    await mary.inState('idle');
    await mary.inState('ringing');
    assert.equal(await mary.text('call-state'), 'Incoming call');
    await mary.shot('incoming');
    t.diagnostic(`call from "${await mary.text('remote')}"`);
    await mary.click('answer');
    await mary.inState('active');
    await audio(t, mary, 440, MIC);
    await demo.farend('hangup');
    await mary.inState('idle');
});


test('is called again, without a reload', serial, async (t) => {
    const { call } = await demo.farend(`call ${await mary.identity()} `
                                       + 'tone 660');

    await mary.inState('ringing');
    await mary.click('answer');
    await mary.inState('active');
    await audio(t, mary, 660, MIC, call);
    await mary.click('hangup');
    await mary.inState('idle');
    assert.equal((await until(async () => {
        const far = await demo.call(call);

        return far.state === 'ended' && far;
    }, 'BYE')).why, 'bye received');
});


test('is called without an offer', serial, async (t) => {
    await demo.farend(`call ${await mary.identity()} tone 660 late`);
    await mary.inState('ringing');
    await mary.click('answer');
    await mary.inState('active');
    await audio(t, mary, 660, MIC);
});


test('declines; the caller gives up', serial, async (t) => {
    const identity = await mary.identity();

    await demo.farend(`call ${identity}`);
    await mary.inState('ringing');
    await mary.click('reject');
    await mary.inState('idle');

    const far = await until(async () => {
        const call = await demo.call();

        return call.state === 'ended' && call;
    }, 'refusal');

    t.diagnostic(`far end got ${far.status}`);
    assert.equal(far.status, 603);

    await demo.farend(`call ${identity}`);
    await mary.inState('ringing');
    await demo.farend('hangup');
    await mary.inState('idle');
    assert.equal((await until(async () => {
        const call = await demo.call();

        return call.state === 'ended' && call;
    }, '487')).status, 487);
    await until(() => demo.mediaPorts().length === 0, 'ports freed');
});


test('messages both ways', serial, async (t) => {
    await mary.get('msg-to').fill('alice');
    await mary.get('msg-text').fill('Grüße, Alice');
    await mary.click('msg-send');
    await until(async () => (await demo.farend('messages')).some(
        (m) => !m.sent && m.body === 'Grüße, Alice'), 'message there');
    await until(() => mary.page.locator('li.out.sent').count(), 'its 200');

    await demo.farend(`message ${await mary.identity()} Hello, Mary`);
    await until(async () => (await mary.text('messages'))
        .includes('Hello, Mary'), 'message here');

    const sent = await until(async () => (await demo.farend('messages')).find(
        (m) => m.sent && m.status), '200 for the far end');

    t.diagnostic(`far end got ${sent.status}`);
    assert.equal(sent.status, 200);
    await mary.shot('messages');
});


test('two users of the site', serial, async (t) => {
    const john = await browser.user('john');
    const [a, b] = [await mary.identity(), await john.identity()];

    assert.notEqual(a, b);
    assert.equal(demo.contacts().length, 2);
    await mary.dial(b.slice(4));
    await john.inState('ringing');
    await john.click('answer');
    await mary.inState('active');
    await john.inState('active');
    await sleep(2000);

    for (const phone of [mary, john]) {
        const heard = await phone.hear();
        const c = await phone.counters();

        t.diagnostic(`${heard.freq.toFixed(1)} Hz, ${c.received} packets, `
                     + `${c.lost} lost`);
        assert.ok(Math.abs(heard.freq - MIC) < 5);
    }

    await john.click('hangup');
    await mary.inState('idle');
    await john.page.context().close();
});


/*
 * A busy machine makes gaps of its own, a reload that cuts the sound makes
 * one each time: the best of three counts.
 */
test('reload in mid-call', serial, async (t) => {
    await mary.dial('9197');
    await mary.inState('active');
    await until(async () => (await mary.counters()).received > 50, 'packets');

    const gaps = [];

    for (let i = 0; i < 3 && !(Math.max(...gaps.at(-1) ?? [Infinity]) < 100);
         i++)
    {
        await demo.farend('reset');

        const before = await mary.counters();
        let idle = 0;

        demo.reload();

        for (const end = Date.now() + 4000; Date.now() < end; ) {
            idle = Math.max(idle, (await mary.counters()).idle);
        }

        const after = await mary.counters();
        const far = await demo.call();

        t.diagnostic(`longest gap: ${far.max_gap_ms} ms there, `
                     + `${idle.toFixed(0)} ms here; lost ${far.lost} there, `
                     + `${after.lost - before.lost} here`);
        assert.equal(far.state, 'established');
        assert.equal(far.lost, 0, 'no packet lost');
        assert.equal(after.lost - before.lost, 0, 'no packet lost here');
        gaps.push([far.max_gap_ms, idle]);
    }

    assert.ok(Math.max(...gaps.at(-1)) < 100, `gaps: ${gaps}`);
    assert.equal(await mary.callState(), 'active');

    /* its signalling is alive as well */
    await demo.farend('hangup');
    await mary.inState('idle');

    /* and Mary with it, on a new worker */
    await sleep(1000);
    await mary.registered(40000);
    await mary.dial('9197');
    await mary.inState('active');
    await audio(t, mary, 440, MIC);
    await mary.click('hangup');
    await mary.inState('idle');
});


test('page closed in mid-call', serial, async (t) => {
    const jane = await browser.user('john');

    await jane.dial('9197');
    await jane.inState('active');
    await until(async () => (await demo.call()).packets > 25, 'packets');
    assert.ok(demo.mediaPorts().length > 0);

    const start = Date.now();

    await jane.page.close({ runBeforeUnload: false });

    const far = await until(async () => {
        const call = await demo.call();

        return call.state === 'ended' && call;
    }, 'BYE at the far end', 15000);

    t.diagnostic(`far end: ${far.why} after ${Date.now() - start} ms`);
    assert.equal(far.why, 'bye received');
    await until(() => demo.mediaPorts().length === 0, 'ports freed');
    t.diagnostic(`ports free after ${Date.now() - start} ms`);
});


test('logs out: no binding is left', serial, async (t) => {
    await mary.shot('before-logout');
    await mary.page.click('#logout button');
    await until(() => demo.contacts().length === 0, 'no contact', 90000);
    t.diagnostic('core has no contact');
    assert.deepEqual(mary.errors, [], 'no error in the page');
});


test('nothing that nginx or the helper complained about', serial, () => {
    const bad = /\[(alert|emerg|crit)\]|AddressSanitizer|runtime error/;

    for (const name of ['nginx', 'media']) {
        for (const line of demo.log(name).split('\n')) {
            assert.doesNotMatch(line, bad, name);
        }
    }
});


test('no secret and no body in any log', serial, () => {
    const secret = /eyJ[\w-]{8}|a=ice-pwd|a=fingerprint|m=audio|[?&]token=/;

    for (const name of ['nginx', 'access', 'media', 'login']) {
        const text = demo.log(name);

        assert.ok(text.length > 0, `${name} has said something`);
        assert.doesNotMatch(text, secret, name);
    }
});
