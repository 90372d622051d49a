/* Copyright (C) the IMS portal authors */

/*
 * The demonstration as a test sees it: the processes, the far end's control
 * socket, the core's list of contacts, and Mary's browser.
 */

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync }
    from 'node:fs';
import { createRequire } from 'node:module';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const top = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

const { chromium } = createRequire(join(top, 'web/package.json'))(
    'playwright-core');

/** The tone of the fake microphone, Hz: not one that a far end sends. */
export const MIC = 1000;

export const sleep = (ms) => new Promise((r) => setTimeout(r, ms));


/**
 * Asks until the answer is good.
 *
 * @param {() => any} ask  may throw: same as no answer
 * @param {string} what    for the error
 * @returns what `ask` returned
 */
export async function until(ask, what, ms = 10000) {
    const end = Date.now() + ms;
    let last;

    for (;;) {
        try {
            last = await ask();

            if (last) {
                return last;
            }

        } catch (error) {
            last = error.message;
        }

        if (Date.now() > end) {
            throw new Error(`${what}: not within ${ms} ms (${last})`);
        }

        await sleep(50);
    }
}


/** One second of a sine, which repeats without a click. */
function wave(file, hz) {
    const rate = 48000;
    const b = Buffer.alloc(44 + rate * 2);

    b.write('RIFF', 0);
    b.writeUInt32LE(36 + rate * 2, 4);
    b.write('WAVEfmt ', 8);
    b.writeUInt32LE(16, 16);
    b.writeUInt16LE(1, 20);
    b.writeUInt16LE(1, 22);
    b.writeUInt32LE(rate, 24);
    b.writeUInt32LE(rate * 2, 28);
    b.writeUInt16LE(2, 32);
    b.writeUInt16LE(16, 34);
    b.write('data', 36);
    b.writeUInt32LE(rate * 2, 40);

    for (let i = 0; i < rate; i++) {
        b.writeInt16LE(Math.round(10000 * Math.sin(2 * Math.PI * hz * i
                                                   / rate)), 44 + 2 * i);
    }

    writeFileSync(file, b);
}


export class Demo {
    /** @param {object} [env]  more environment for conf-examples/demo/run */
    constructor(env = {}) {
        this.env = env;
        this.tmp = mkdtempSync(join(tmpdir(), 'ims-browser-'));
        chmodSync(this.tmp, 0o755);
        this.dir = join(this.tmp, 'demo');
        this.url = env.ADDR ? `https://${env.ADDR}:8443/`
                            : 'http://127.0.0.1:8080/';
        this.output = '';
    }

    async start() {
        this.process = spawn(join(top, 'conf-examples/demo/run'), [], {
            env: { ...process.env, ADDR: '', ...this.env,
                   DEMO_DIR: this.dir },
            stdio: ['ignore', 'pipe', 'pipe'],
        });

        for (const stream of [this.process.stdout, this.process.stderr]) {
            stream.on('data', (d) => { this.output += d; });
        }

        await until(() => this.output.includes('Open http')
                          || this.process.exitCode !== null, 'demo', 30000);
        assert.equal(this.process.exitCode, null, this.output);
    }

    async stop() {
        this.media?.kill();

        if (this.process?.exitCode === null) {
            const gone = new Promise((r) => this.process.once('exit', r));
            const timer = setTimeout(() => this.process.kill('SIGKILL'),
                                     20000);

            this.process.kill('SIGTERM');
            await gone;
            clearTimeout(timer);
        }

        rmSync(this.tmp, { recursive: true, force: true });
    }

    pid(name) {
        return Number(readFileSync(join(this.dir, 'run', name), 'utf8'));
    }

    /** Processes whose parent this one is. */
    children(name) {
        return readFileSync(
            `/proc/${this.pid(name)}/task/${this.pid(name)}/children`, 'utf8')
            .trim().split(' ').filter((p) => p !== '').map(Number);
    }

    log(name) {
        return readFileSync(join(this.dir, 'log', `${name}.log`), 'utf8');
    }

    reload() {
        process.kill(this.pid('nginx'), 'SIGHUP');
    }

    /** The core's first process, leader of its group. */
    core() {
        return Number(readFileSync(join(this.dir, 'core/pid'), 'utf8'));
    }

    /** Starts a new media helper in the place of one that died. */
    restartMedia() {
        this.media = spawn(join(this.dir, 'bin/media-helper'),
                           ['-d', '-c', `unix:${this.dir}/media/ng.sock`,
                            '-w', '127.0.0.1:40000', '-i', '127.0.0.1',
                            '-p', '24000-29999'],
                           { stdio: 'ignore' });
    }

    /** One command of t/core/farend. */
    farend(command) {
        return new Promise((resolve, reject) => {
            const socket = net.connect(join(this.dir, 'farend/ctl'));
            let text = '';

            socket.on('error', reject);
            socket.on('connect', () => socket.write(`${command}\n`));
            socket.on('data', (d) => {
                text += d;

                if (text.endsWith('\n')) {
                    socket.end();
                    resolve(JSON.parse(text));
                }
            });
        });
    }

    /** The far end's newest call, or the one of that number. */
    call(id = 0) {
        return this.farend(`stats ${id}`);
    }

    /** What the registrar has: [{impu, contact}]. */
    contacts() {
        return execFileSync(join(top, 't/core/core'),
                            ['contacts', join(this.dir, 'core')],
                            { encoding: 'utf8' })
            .trim().split('\n').filter((l) => l !== '')
            .map((l) => l.split(' '))
            .map(([impu, contact]) => ({ impu, contact }));
    }

    /** The helper's ports towards the IMS that are open now. */
    mediaPorts() {
        return readFileSync('/proc/net/udp', 'utf8').split('\n').slice(1)
            .map((l) => parseInt(l.trim().split(/[\s:]+/)[2], 16))
            .filter((p) => p >= 24000 && p <= 29999);
    }
}


export class Browser {
    /**
     * @param {string[]} [args]  more switches of Chromium
     * @param {{loopback?: boolean, tone?: number}} [options]  candidates of
     *   127.0.0.1, too; Hz of the microphone
     */
    constructor(demo, args = [], { loopback = true, tone = MIC } = {}) {
        this.demo = demo;
        this.tone = tone;
        this.args = loopback
            ? ['--allow-loopback-in-peer-connection', ...args] : args;
        this.shots = process.env.SHOTS ?? demo.tmp;
    }

    async start() {
        const tone = join(this.demo.tmp, `tone-${this.tone}.wav`);

        wave(tone, this.tone);
        this.browser = await chromium.launch({
            executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
            args: [
                '--no-sandbox',
                '--use-fake-ui-for-media-stream',
                '--use-fake-device-for-media-stream',
                `--use-file-for-fake-audio-capture=${tone}`,
                '--autoplay-policy=no-user-gesture-required',
                ...this.args,
            ],
        });
    }

    async stop() {
        await this.browser?.close();
    }

    /** Closes all pages. */
    async clean() {
        for (const context of this.browser?.contexts() ?? []) {
            await context.close();
        }
    }

    /** A page of its own profile, empty. */
    async page() {
        const context = await this.browser.newContext();

        return context.newPage();
    }

    /** The same, logged in and registered. */
    async user(name) {
        const context = await this.browser.newContext({
            viewport: { width: 900, height: 760 },
            ignoreHTTPSErrors: true,
        });
        const phone = new Phone(await context.newPage(), this);

        await phone.login(name);

        return phone;
    }
}


/** One page with the phone in it. */
export class Phone {
    constructor(page, browser) {
        this.page = page;
        this.browser = browser;
        this.errors = [];
        page.on('pageerror', (e) => this.errors.push(String(e)));
    }

    async login(name) {
        await this.page.goto(`${this.browser.demo.url}?audio=raw`);
        await this.page.fill('input[name=user]', name);
        await this.page.fill('input[name=password]', name);
        await this.page.click('#login button[type=submit]');
        await this.registered();
    }

    registered(ms = 10000) {
        return until(() => this.page.evaluate(
            () => document.querySelector('ims-phone')?.portal?.state
                  === 'registered'), 'registered', ms);
    }

    /** The identity that the session API gave. */
    identity() {
        return this.page.evaluate(
            () => document.querySelector('ims-phone').portal.session
                          .identity);
    }

    get(id) {
        return this.page.locator(`[data-testid=${id}]`);
    }

    text(id) {
        return this.get(id).textContent();
    }

    click(id) {
        return this.get(id).click();
    }

    async dial(number) {
        await this.get('number').fill(number);
        await this.click('call');
    }

    /** idle, calling, ringing, early, active, held */
    callState() {
        return this.page.evaluate(
            () => document.querySelector('ims-phone')?.call?.state ?? 'idle');
    }

    inState(state, ms = 10000) {
        return until(async () => await this.callState() === state,
                     `call ${state}`, ms);
    }

    /** No offer is without its answer: the next one may be made. */
    settled() {
        return until(() => this.page.evaluate(
            () => document.querySelector('ims-phone').call.connection
                          .signalingState === 'stable'), 'an answer', 30000);
    }

    shot(name) {
        return this.page.screenshot({
            path: join(this.browser.shots, `${name}.png`),
        });
    }

    /** Counters of the call's RTP. */
    counters() {
        return this.page.evaluate(async () => {
            const pc = document.querySelector('ims-phone').call.connection;
            const found = {};

            for (const s of (await pc.getStats()).values()) {
                if (s.type === 'inbound-rtp' && s.kind === 'audio') {
                    found.received = s.packetsReceived;
                    found.lost = s.packetsLost;
                    found.concealed = s.concealedSamples;
                    found.silent = s.silentConcealedSamples;
                    found.idle = s.timestamp - s.lastPacketReceivedTimestamp;

                } else if (s.type === 'outbound-rtp' && s.kind === 'audio') {
                    found.sent = s.packetsSent;
                }
            }

            return found;
        });
    }

    /** What is heard just now: level in dB and the strongest frequency. */
    hear() {
        return this.page.evaluate(async () => {
            const call = document.querySelector('ims-phone').call;
            const context = new AudioContext();
            const source = context.createMediaStreamSource(call.remoteStream);
            const analyser = context.createAnalyser();

            analyser.fftSize = 32768;
            analyser.smoothingTimeConstant = 0;
            source.connect(analyser);
            await context.resume();

            /* the window must be full of what is heard now */
            const start = context.currentTime;

            while (context.currentTime - start < 1) {
                await new Promise((r) => setTimeout(r, 20));
            }

            const time = new Float32Array(analyser.fftSize);
            const rate = context.sampleRate;

            analyser.getFloatTimeDomainData(time);
            await context.close();

            return { rate, time: Array.from(time) };
        }).then(({ rate, time }) => tone(time, rate));
    }
}


/* in place, radix 2 */
function fft(re, im) {
    const n = re.length;

    for (let i = 1, j = 0; i < n; i++) {
        let bit = n >> 1;

        for ( ; j & bit; bit >>= 1) {
            j ^= bit;
        }

        j ^= bit;

        if (i < j) {
            [re[i], re[j]] = [re[j], re[i]];
            [im[i], im[j]] = [im[j], im[i]];
        }
    }

    for (let half = 1; half < n; half *= 2) {
        for (let k = 0; k < half; k++) {
            const c = Math.cos(Math.PI * k / half);
            const s = -Math.sin(Math.PI * k / half);

            for (let i = k; i < n; i += 2 * half) {
                const r = re[i + half] * c - im[i + half] * s;
                const m = re[i + half] * s + im[i + half] * c;

                re[i + half] = re[i] - r;
                im[i + half] = im[i] - m;
                re[i] += r;
                im[i] += m;
            }
        }
    }
}


/**
 * Level in dB and the strongest frequency above some 30 Hz.
 *
 * @param {number[]} samples  -1 to 1; up to 32768
 * @param {number} rate  samples a second
 */
export function tone(samples, rate) {
    const n = 32768;
    const re = new Float64Array(n), im = new Float64Array(n);
    const power = samples.reduce((sum, x) => sum + x * x, 0)
                  / samples.length;

    samples.forEach((x, i) => {
        re[i] = x * (0.5 - 0.5 * Math.cos(2 * Math.PI * i / samples.length));
    });

    fft(re, im);

    const level = (i) => Math.log10(re[i] ** 2 + im[i] ** 2 + 1e-20);
    let peak = 20;

    for (let i = 20; i < n / 2 - 1; i++) {
        peak = level(i) > level(peak) ? i : peak;
    }

    const [a, b, c] = [level(peak - 1), level(peak), level(peak + 1)];
    const shift = 0.5 * (a - c) / (a - 2 * b + c);

    return {
        db: power > 0 ? 10 * Math.log10(power) : -100,
        freq: (peak + (Number.isFinite(shift) ? shift : 0)) * rate / n,
    };
}


/**
 * Audio in both directions of the page's call.
 *
 * @param {number} here  Hz that the page must hear
 * @param {number|null} there  Hz that the far end must hear; null: this far
 *   end cannot be asked
 */
export async function audio(t, phone, here, there, id = 0) {
    const { demo } = phone.browser;

    /* past the first packets and the jitter buffer's start */
    await until(async () => (await phone.counters()).received > 25,
                'packets at the page');
    await demo.farend(`reset ${id}`);

    const before = await phone.counters();
    const far0 = there === null ? null : await demo.call(id);

    await sleep(3000);

    const heard = await phone.hear();
    const now = await phone.counters();
    const far = there === null ? null : await demo.call(id);
    const received = now.received - before.received;
    const sent = now.sent - before.sent;

    t.diagnostic(`page hears ${heard.freq.toFixed(1)} Hz at `
                 + `${heard.db.toFixed(1)} dB, ${received} packets, `
                 + `${now.lost - before.lost} lost; sent ${sent}`);
    assert.ok(Math.abs(heard.freq - here) < 5, `tone at the page: `
              + `${heard.freq} Hz`);
    assert.ok(heard.db > -35, `energy at the page: ${heard.db} dB`);

    if (far === null) {
        assert.ok(received >= 0.95 * sent, `echo of ${sent}: ${received}`);
        return;
    }

    const farSent = far.sent - far0.sent;
    const farReceived = far.packets - far0.packets;

    t.diagnostic(`far end hears ${far.freq} Hz at ${far.energy_db} dB, `
                 + `${farReceived} packets, ${far.lost} lost, gap at most `
                 + `${far.max_gap_ms} ms; sent ${farSent}`);
    assert.ok(Math.abs(far.freq - there) < 5, `tone at the far end: `
              + `${far.freq} Hz`);
    assert.ok(far.energy_db > -35, `energy there: ${far.energy_db} dB`);
    assert.ok(farReceived >= 0.95 * sent, `${farReceived} of ${sent} there`);
    assert.ok(received >= 0.95 * farSent, `${received} of ${farSent} here`);
    assert.ok(now.lost - before.lost <= 0.05 * farSent, 'lost at the page');
}
