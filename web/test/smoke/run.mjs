/* Copyright (C) the IMS portal authors */

/*
 * Two people with real browsers, the demonstration site and the element,
 * against the fake portal: what the browser side promises by itself.
 *
 * Environment: CHROMIUM (default /usr/bin/chromium); SHOTS, a folder for
 * pictures.
 */

import { test, before, after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { mkdirSync } from 'node:fs';
import { chromium } from 'playwright-core';

import { FakePortal } from './fake-portal.mjs';


const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const FLAGS = [
    '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic',
    '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
    '--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream',
    '--allow-loopback-in-peer-connection',
];

const portal = new FakePortal({ site: here('../../../conf-examples/site'),
                                dist: here('../../dist') });
const problems = [];
let browser, mary, bob;


async function open(user, options = {}) {
    const context = await browser.newContext({
        viewport: { width: 900, height: 820 }, ...options,
    });
    const page = await context.newPage();

    page.on('pageerror', (e) => problems.push(`${user}: ${e.message}`));
    page.on('console', (m) => {
        if (/Content.Security.Policy/i.test(m.text())) {
            problems.push(`${user}: ${m.text()}`);
        }
    });

    await page.goto(portal.origin + '/');
    await login(page, user);

    return page;
}


async function login(page, user) {
    await page.fill('[name=user]', user);
    await page.fill('[name=password]', 'secret');
    await page.click('#login button');
    await state(page, 'registered');
}


function waitFor(page, id, attribute, value) {
    return page.waitForFunction(([i, a, v]) => {
        const root = document.querySelector('ims-phone')?.shadowRoot;

        return root?.getElementById(i).dataset[a] === v;
    }, [id, attribute, value], { timeout: 10000 });
}

async function until(condition, limit = 10000) {
    const end = Date.now() + limit;

    while (!await condition()) {
        assert.ok(Date.now() < end, `waited for ${condition}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
}

const state = (page, value) => waitFor(page, 'state', 'state', value);
const callState = (page, value) => waitFor(page, 'call-state', 'state', value);


async function talk(number = 'bob') {
    await mary.fill('#number', number);
    await mary.click('#call');
    await callState(bob, 'ringing');
    await bob.click('#answer');
    await callState(mary, 'active');
    await callState(bob, 'active');
}


async function hangUp(page = mary) {
    await page.click('#hangup');
    await callState(mary, 'idle');
    await callState(bob, 'idle');
}


const stats = (page) => page.evaluate(() =>
    document.querySelector('ims-phone').call.stats());


/* Packets keep coming at the page. */
async function hears(page) {
    const first = (await stats(page)).packetsReceived;

    await until(async () =>
        (await stats(page)).packetsReceived > first + 20);
}


async function shot(page, name) {
    if (process.env.SHOTS) {
        mkdirSync(process.env.SHOTS, { recursive: true });
        await page.screenshot({ path: `${process.env.SHOTS}/${name}.png` });
    }
}


before(async () => {
    await portal.listen();
    browser = await chromium.launch({
        executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
        args: FLAGS, ignoreDefaultArgs: ['--headless=old'],
    });
    mary = await open('mary');
    bob = await open('bob', { colorScheme: 'dark' });
});


after(async () => {
    await browser?.close();
    portal.close();
});


beforeEach(() => { portal.answering = true; });


test('REGISTER says who, where and what', () => {
    const { raw, instance } = portal.bindings.get('mary');

    assert.match(instance, /^urn:uuid:[0-9a-f-]{36}$/);
    assert.match(raw, /;reg-id=1;/);
    assert.match(raw, /\+g\.3gpp\.icsi-ref="urn%3Aurn-7%3A3gpp-service/);
    assert.doesNotMatch(raw, /^Authorization:/m);
});


test('shows the own number', async () => {
    assert.equal(await mary.textContent('#identity'), 'mary · +15550001');
    await shot(mary, 'idle');
});


test('a call, and another without a reload', async () => {
    const offered = Date.now();

    await talk();
    assert.ok(Date.now() - offered < 4000, 'no wait for ICE');
    await hears(mary);
    await hears(bob);
    assert.equal(await bob.textContent('#remote'),
                 'mary, tester · +15550001');
    await mary.waitForTimeout(1200);
    assert.match(await mary.textContent('#timer'), /^00:0[1-9]$/);
    await shot(mary, 'call');
    await hangUp(bob);

    await talk('+1 (555) 000-2');
    await hears(mary);
    await hangUp(mary);
    assert.equal(await mary.isHidden('#error'), true);
});


test('called by number, declined, cancelled, unknown', async () => {
    await bob.fill('#number', '+15550001');
    await bob.click('#call');
    await callState(mary, 'ringing');
    await shot(mary, 'incoming');
    await mary.click('#reject');
    await callState(bob, 'idle');
    assert.equal(await bob.textContent('#error'), 'The call was declined.');

    await bob.fill('#number', '+15550001');
    await bob.click('#call');
    await callState(mary, 'ringing');
    await bob.click('#hangup');
    await callState(mary, 'idle');
    await callState(bob, 'idle');

    await bob.fill('#number', '12345');
    await bob.click('#call');
    await callState(bob, 'idle');
    await bob.waitForFunction(() => document.querySelector('ims-phone')
        .shadowRoot.getElementById('error').textContent
        === 'There is no such number.');
});


test('hold, mute and digits', async () => {
    await talk();
    await mary.click('#hold');
    await callState(mary, 'held');
    await callState(bob, 'held');
    await shot(bob, 'held-dark');
    await mary.waitForTimeout(300);
    await mary.click('#hold');
    await callState(mary, 'active');
    await callState(bob, 'active');
    await hears(bob);

    await mary.click('#mute');
    assert.equal(await mary.getAttribute('#mute', 'aria-pressed'), 'true');
    await mary.click('#mute');

    const way = await mary.evaluate(() =>
        document.querySelector('ims-phone').call.dtmf('1'));

    assert.equal(way, 'rtp');
    await mary.click('#key-5');
    await mary.click('#key-hash');
    await hangUp();
    await mary.click('#key-5');
    assert.equal((await mary.inputValue('#number')).at(-1), '5');

    await mary.fill('#number', '');
    await mary.click('#key-0', { delay: 800 });
    await mary.click('#key-1');
    assert.equal(await mary.inputValue('#number'), '+1');
});


test('early media, and the same media after the answer', async () => {
    portal.early = 1500;
    await mary.fill('#number', 'bob');
    await mary.click('#call');
    await callState(bob, 'ringing');
    await bob.click('#answer');
    await callState(mary, 'early');
    await hears(mary);
    await callState(mary, 'active');
    await hears(mary);
    await hears(bob);
    await hangUp();
});


test('by keyboard, and a caller does not take the keyboard away', async () => {
    const focused = (page) => page.evaluate(() =>
        document.querySelector('ims-phone').shadowRoot.activeElement?.id);

    await bob.focus('#msg-text');
    await mary.focus('#number');
    await mary.fill('#number', 'bob');
    await mary.keyboard.press('Enter');
    await callState(bob, 'ringing');
    assert.equal(await focused(bob), 'msg-text');
    await bob.keyboard.press('Enter');
    assert.equal(await bob.getAttribute('#call-state', 'data-state'),
                 'ringing');
    await bob.focus('#answer');
    await bob.keyboard.press('Enter');
    await callState(mary, 'active');
    await mary.keyboard.press('7');
    await mary.focus('#hangup');
    await mary.keyboard.press('Space');
    await callState(mary, 'idle');
    await callState(bob, 'idle');
    assert.equal(await focused(mary), 'number');
});


test('messages in both directions', async () => {
    await mary.fill('#msg-to', 'bob');
    await mary.fill('#msg-text', 'Grüße, <b>Bob</b>');
    await mary.click('#msg-send');
    await mary.waitForSelector('#messages li.sent');
    assert.equal(await bob.textContent('#messages li.in'),
                 'mary, testerGrüße, <b>Bob</b>');
    assert.equal(await bob.inputValue('#msg-to'), '+15550001');
    await bob.fill('#msg-text', 'Hello back');
    await bob.keyboard.press('Enter');
    await mary.waitForSelector('#messages li.in');

    await mary.fill('#msg-to', '99');
    await mary.fill('#msg-text', 'lost');
    await mary.click('#msg-send');
    await mary.waitForSelector('#messages li.failed');
    assert.match(await mary.textContent('#error'), /not delivered/);
});


for (const [name, code] of [['a restart (1012)', 1012],
                            ['a lost socket', null]])
{
    test(`a call survives ${name}`, async () => {
        await talk();

        const before = portal.count('mary REGISTER');
        const { instance, contact } = portal.bindings.get('mary');

        portal.cut('mary', code);
        await state(mary, 'connecting');
        assert.equal(await mary.getAttribute('#call-state', 'data-state'),
                     'active');
        await state(mary, 'registered');

        assert.equal(portal.count('mary REGISTER'), before + 1);
        assert.equal(portal.bindings.get('mary').instance, instance);
        assert.equal(portal.bindings.get('mary').contact, contact);
        await hears(mary);

        /* The dialog works on the new socket, from both ends. */
        await bob.click('#hold');
        await callState(mary, 'held');
        await bob.waitForTimeout(300);
        await bob.click('#hold');
        await callState(mary, 'active');
        await hangUp(mary);
    });
}


test('media that broke with the network gets an ICE restart', async () => {
    const ufrag = () => mary.evaluate(() => /a=ice-ufrag:(\S+)/.exec(
        document.querySelector('ims-phone').call.connection
        .localDescription.sdp)[1]);

    await talk();

    const before = await ufrag();
    const invites = portal.count('mary INVITE');

    await mary.evaluate(() => Object.defineProperty(
        document.querySelector('ims-phone').call.connection,
        'iceConnectionState', { value: 'disconnected', configurable: true }));
    portal.cut('mary', null);
    await state(mary, 'connecting');
    await state(mary, 'registered');

    /* Who called gives way first, see BEHIND in call.js. */
    await until(() => portal.count('mary INVITE') > invites);
    await hears(mary);
    assert.equal(portal.count('mary INVITE'), invites + 1);
    assert.notEqual(await ufrag(), before);
    await hears(bob);
    await hangUp();
});


test('a call answered and ended while the socket is away', async () => {
    await mary.fill('#number', 'bob');
    await mary.click('#call');
    await callState(bob, 'ringing');
    portal.answering = false;
    portal.cut('bob', null);
    await state(bob, 'connecting');
    await bob.click('#answer');
    await bob.waitForTimeout(300);
    assert.equal(await mary.getAttribute('#call-state', 'data-state'),
                 'ringing');
    portal.answering = true;
    await bob.evaluate(() => dispatchEvent(new Event('online')));
    await callState(mary, 'active');
    await callState(bob, 'active');
    await hears(bob);

    const byes = portal.count('mary BYE');

    portal.answering = false;
    portal.cut('mary', 1012);
    await state(mary, 'connecting');
    await mary.click('#hangup');
    await callState(mary, 'idle');
    portal.answering = true;
    await mary.evaluate(() => dispatchEvent(new Event('online')));
    await callState(bob, 'idle');
    assert.equal(portal.count('mary BYE'), byes + 1);
    await state(mary, 'registered');
});


test('two tabs have two instances, a reload keeps its own', async () => {
    const { instance } = portal.bindings.get('mary');
    const tab = await mary.context().newPage();

    await tab.goto(portal.origin + '/');
    await state(tab, 'registered');
    assert.notEqual(portal.bindings.get('mary').instance, instance);
    await tab.close();

    const before = portal.count('mary close 1000')
                   + portal.count('mary close 1001');

    await mary.reload();
    await state(mary, 'registered');
    assert.equal(portal.bindings.get('mary').instance, instance);
    assert.ok(portal.count('mary close 1000')
              + portal.count('mary close 1001') > before,
              'the page said good-bye with a close frame');
});


test('the end of the token: no storm, and a new login', async () => {
    portal.expired.add('mary');
    portal.cut('mary', 4401);
    await mary.waitForSelector('#login-page:not([hidden])');
    assert.match(await mary.textContent('#login-error'), /log in again/);

    const sockets = portal.sockets;

    await mary.waitForTimeout(1500);
    assert.equal(portal.sockets, sockets);
    await shot(mary, 'login');
    await login(mary, 'mary');
});


test('a token near its end is renewed on the same socket', async () => {
    const sockets = portal.sockets;

    portal.life = 5;
    await mary.evaluate(() =>
        document.querySelector('ims-phone').portal.renew());
    portal.life = 3600;

    const before = portal.count('mary REGISTER');

    await mary.waitForFunction(() => document.querySelector('ims-phone')
        .portal.session.expires_in === 3600, null, { timeout: 20000 });
    await mary.waitForTimeout(200);
    assert.equal(portal.count('mary REGISTER'), before + 1);
    assert.equal(portal.sockets, sockets);
});


test('a token from the page goes into the session API and into SIP',
     async () => {
    const context = await browser.newContext();
    const page = await context.newPage();

    await page.goto(portal.origin + '/');

    const state = await page.evaluate(async () => {
        const { ImsPortal } = await import('/ims/ims-portal.js');

        window.portal = new ImsPortal({ token: async () => 'carol' });
        await window.portal.start();

        return window.portal.state;
    });

    assert.equal(state, 'registered');
    assert.match(portal.bindings.get('carol').raw,
                 /^Authorization: Bearer carol\r$/m);
    await page.evaluate(() => window.portal.stop());
    assert.equal(portal.bindings.has('carol'), false);
    assert.equal(await page.evaluate(() => window.portal.state), 'offline');

    /* And again, with the same object. */
    await page.evaluate(() => window.portal.start());
    assert.equal(portal.bindings.has('carol'), true);
    await context.close();
});


test('a call ends when its socket stays away', async () => {
    const context = await browser.newContext();
    const page = await context.newPage();

    await page.goto(portal.origin + '/');
    await page.evaluate(async () => {
        const { ImsPortal } = await import('/ims/ims-portal.js');

        window.portal = new ImsPortal({ token: async () => 'carol',
                                        patience: 1 });
        await window.portal.start();
        window.call = window.portal.call('bob');
    });
    await callState(bob, 'ringing');
    await bob.click('#answer');
    await page.waitForFunction(() => window.call.state === 'active');

    portal.answering = false;
    portal.cut('carol', null);
    await page.waitForFunction(() => window.call.state === 'ended');
    assert.equal(await page.evaluate(() => window.call.cause), 'connection');
    assert.equal(await page.evaluate(() => window.portal.calls.length), 0);

    /* Its BYE waits for the new registration. */
    assert.equal(portal.count('carol BYE'), 0);
    portal.answering = true;
    await page.evaluate(() => dispatchEvent(new Event('online')));
    await callState(bob, 'idle');
    assert.equal(portal.count('carol BYE'), 1);
    await context.close();
});


test('an exhausted pool is waited for, a refusal is not', async () => {
    const context = await browser.newContext();
    const page = await context.newPage();

    await page.goto(portal.origin + '/');
    await page.addScriptTag({ url: '/ims/ims-portal.iife.js' });

    const run = () => page.evaluate(async () => {
        /* global ImsPortal */
        const portal = new ImsPortal({ token: async () => 'dave' });
        const errors = [];

        portal.addEventListener('error', (e) => errors.push(e.detail));
        await portal.start().catch((e) => errors.push(e.reason));

        const { state } = portal;

        await portal.stop();

        return { state, errors };
    });

    portal.trouble = [[503, { 'Retry-After': '1' }]];
    const began = Date.now();
    let result = await run();

    assert.equal(result.state, 'registered');
    assert.deepEqual(result.errors,
        [{ reason: 'overload', code: 503, text: 'no: 503' }]);
    assert.ok(Date.now() - began >= 1000);

    portal.trouble = [[403, {}]];
    result = await run();
    assert.equal(result.state, 'refused');
    assert.deepEqual(result.errors,
        [{ reason: 'forbidden', code: 403, text: 'no: 403' }, 'forbidden']);
    await context.close();
});


test('a narrow screen', async () => {
    await mary.setViewportSize({ width: 380, height: 900 });
    await shot(mary, 'narrow');
    await mary.setViewportSize({ width: 900, height: 820 });
});


test('logging out un-registers', async () => {
    await mary.click('#logout button');
    await mary.waitForSelector('#login-page:not([hidden])');
    assert.equal(portal.bindings.has('mary'), false);
});


test('no error in the pages, nothing against a strict policy', () => {
    assert.deepEqual(problems, []);
});
