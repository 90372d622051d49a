/* Copyright (C) the IMS portal authors */

/*
 * Headless Chromium and far ends that do what telephones of an operator do and
 * ours does not: sipp in the place of the echo, by t/core/sipp/*.xml, which
 * sends back the sound that it gets.
 */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { Browser, Demo, MIC, audio, top, until } from './lib.mjs';

const PORT = 15092;
const demo = new Demo({ ECHO: 'none' });
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


/** Number 9196 as a scenario says, for one call. */
class Sipp {
    constructor(scenario) {
        this.output = '';
        this.process = spawn('sipp', [
            '-sf', join(top, 't/core/sipp', `${scenario}.xml`), '-rtp_echo',
            '-i', '127.0.0.1', '-p', String(PORT), '-mp', '21500', '-m', '1',
            '-nostdin', '-timeout', '40s', '-timeout_error',
        ], { cwd: demo.tmp, env: { ...process.env, TERM: 'dumb' },
             stdio: ['ignore', 'pipe', 'pipe'] });

        for (const stream of [this.process.stdout, this.process.stderr]) {
            stream.on('data', (d) => {
                this.output = (this.output + d).slice(-4000);
            });
        }
    }

    ready() {
        const port = `:${PORT.toString(16).toUpperCase()} `;

        return until(() => readFileSync('/proc/net/udp', 'utf8')
            .split('\n').some((l) => l.trim().split(/\s+/, 2)
                .join(' ').concat(' ').endsWith(port)), 'sipp');
    }

    /** All of the scenario has happened. */
    async satisfied() {
        await until(() => this.process.exitCode !== null, 'end of sipp');
        assert.equal(this.process.exitCode, 0, this.output);
    }
}


async function over() {
    await mary.inState('idle');
    await until(() => demo.mediaPorts().length === 0, 'ports freed');
}


test('hears early media of a reliable 183', serial, async (t) => {
    const sipp = new Sipp('reliable');

    await sipp.ready();
    await mary.dial('9196');
    await mary.inState('early');
    await until(async () => (await mary.counters()).received > 25,
                'packets before the answer');

    const heard = await mary.hear();

    t.diagnostic(`early: ${heard.freq.toFixed(1)} Hz, `
                 + `${heard.db.toFixed(1)} dB, call ${await mary.callState()}`);
    assert.equal(await mary.callState(), 'early');
    assert.ok(Math.abs(heard.freq - MIC) < 5, 'the very tone');
    assert.ok(heard.db > -35, 'energy');
    await mary.inState('active');
    await mary.click('hangup');
    await sipp.satisfied();
    await over();
});


test('another branch answers, holds, refreshes', serial, async (t) => {
    const sipp = new Sipp('forked');

    await sipp.ready();
    await mary.dial('9196');
    await mary.inState('active');
    await mary.inState('held');
    await mary.inState('active');
    await audio(t, mary, MIC, null);
    await mary.click('hangup');
    await sipp.satisfied();
    await over();
});


test('says why a call fails', serial, async (t) => {
    for (const [number, words] of [
        ['9199', 'The other side is busy.'],
        ['1234', 'There is no such number.'],
        ['112', 'Emergency calls are not possible here, use a telephone.'],
    ]) {
        await mary.dial(number);
        await until(async () => await mary.callState() === 'idle'
                                && await mary.text('error') === words,
                    `${number}: ${words}`).catch(async (error) => {
            t.diagnostic(`${number}: "${await mary.text('error')}"`);
            throw error;
        });
    }

    await over();
});


test('without an error in page or log', serial, () => {
    assert.deepEqual(mary.errors, []);

    for (const name of ['nginx', 'media']) {
        assert.doesNotMatch(demo.log(name),
            /\[(alert|emerg|crit)\]|AddressSanitizer|runtime error:/, name);
    }
});
