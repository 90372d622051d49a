/* Copyright (C) the IMS portal authors */

/*
 * Two pages of Chromium by a helper whose SRTP is libsrtp2's: both profiles,
 * each of which comes with one of the DTLS roles.  media.test.mjs does so with
 * the default backend.
 */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, afterEach, before, test } from 'node:test';

import { Browser, top } from './lib.mjs';
import { Helper, Pair, Site, legs } from './pair.mjs';

const home = process.env.HOME;
const site = new Site();
const browser = new Browser({ tmp: home });
const helper = new Helper({ program: `${home}/helper`,
                            args: ['-b', 'libsrtp2'] });
const serial = { concurrency: false };


before(async () => {
    /* a build of its own, which leaves that of the tree alone */
    execFileSync('make', ['-s', '-C', `${top}/media-helper`, 'SRTP=libsrtp2',
                          `BUILD=${home}/objects`, `BIN=${home}/helper`],
                 { stdio: 'pipe' });
    await site.start();
    await browser.start();
    await helper.start();
});

after(async () => {
    await browser.stop();
    await helper.stop();
    site.stop();
});

afterEach(async () => {
    for (const context of browser.browser.contexts()) {
        await context.close();
    }
});


async function pair(keys) {
    return new Pair(helper, ...await legs(browser, site, { video: true }),
                    keys);
}


test('AEAD_AES_128_GCM', serial, async (t) => {
    const p = await pair();

    assert.match(helper.said, /libsrtp2/);
    await p.negotiate();

    for (const { srtp } of await p.flows(t)) {
        assert.match(srtp, /AEAD_AES_128_GCM/);
    }

    await p.negotiate(1, { iceRestart: true });
    await p.flows(t);
    await p.end();
});


/* Chromium as the server takes this one */
test('AES128_CM_HMAC_SHA1_80', serial, async (t) => {
    const p = await pair({ answer: { DTLS: 'active' } });

    await p.negotiate(0, {
        change: (sdp) => sdp.replace(/a=setup:active/g, 'a=setup:passive'),
    });

    for (const { srtp } of await p.flows(t)) {
        assert.match(srtp, /AES128_CM_HMAC_SHA1_80/);
    }

    await p.end();
});
