/* Copyright (C) the IMS portal authors */

/*
 * Firefox in the place of lib.mjs's Chromium, by WebDriver BiDi: its page has
 * what Phone uses of Playwright's.
 */

import { createRequire } from 'node:module';
import { join } from 'node:path';

import { MIC, Phone, tone, top, until } from './lib.mjs';

const puppeteer = createRequire(join(top, 'web/package.json'))(
    'puppeteer-core');

/* a microphone and a camera that are not there, and loopback for ICE */
const PREFS = {
    'media.navigator.streams.fake': true,
    'media.navigator.permission.disabled': true,
    'permissions.default.microphone': 1,
    'permissions.default.camera': 1,
    'media.peerconnection.ice.loopback': true,
    'media.peerconnection.ice.obfuscate_host_addresses': false,
    'media.autoplay.default': 0,
    'media.autoplay.blocking_policy': 0,
    'media.gmp-manager.updateEnabled': false,
    'media.gmp-gmpopenh264.autoupdate': false,

    /* with a loopback interface alone it would think itself offline */
    'network.manage-offline-status': false,
    'network.captive-portal-service.enabled': false,
    'network.connectivity-service.enabled': false,
};


/** What Phone wants of a page; selectors go into shadow roots. */
class Page {
    constructor(page) {
        this.page = page;
    }

    on(event, handler) {
        this.page.on(event, handler);
    }

    goto(url) {
        return this.page.goto(url);
    }

    evaluate(...args) {
        return this.page.evaluate(...args);
    }

    fill(selector, text) {
        return this.locator(selector).fill(text);
    }

    click(selector) {
        return this.locator(selector).click();
    }

    locator(selector) {
        const act = (what, text) => until(() => this.page.evaluate(
            ({ selector, what, text }) => {
                const root = document.querySelector('ims-phone')?.shadowRoot;
                const e = document.querySelector(selector)
                          ?? root?.querySelector(selector);

                if (!e || (what !== 'text' && e.getClientRects().length === 0)
                    || (what !== 'text' && e.disabled))
                {
                    return null;
                }

                if (what === 'click') {
                    e.click();

                } else if (what === 'fill') {
                    e.value = text;
                    e.dispatchEvent(new Event('input', { bubbles: true }));
                }

                return { text: e.textContent };
            }, { selector, what, text }), `${what} of ${selector}`, 30000);

        return {
            fill: (text) => act('fill', text),
            click: () => act('click'),
            textContent: async () => (await act('text')).text,
        };
    }

    screenshot(options) {
        return this.page.screenshot(options);
    }
}


/**
 * Without a sound card Firefox's AudioContext stands still: what is heard is
 * recorded instead.
 *
 * @param {object} page
 * @param {() => MediaStream} stream  runs in the page
 */
export async function listen(page, stream) {
    const { rate, samples } = await page.evaluate(async (source) => {
        const heard = (0, eval)(`(${source})`)();
        const sound = new MediaStream(heard.getAudioTracks());
        const recorder = new MediaRecorder(sound);
        const parts = [];
        const stopped = new Promise((r) => { recorder.onstop = r; });

        recorder.ondataavailable = ({ data }) => parts.push(data);
        recorder.start();
        await new Promise((r) => setTimeout(r, 2500));
        recorder.stop();
        await stopped;

        const rate = 48000;
        const decoded = await new OfflineAudioContext(1, 1, rate)
            .decodeAudioData(await new Blob(parts).arrayBuffer());

        return { rate, samples:
                 Array.from(decoded.getChannelData(0).slice(-32768)) };
    }, String(stream));

    return tone(samples, rate);
}


class FirefoxPhone extends Phone {
    hear() {
        return listen(this.page, () =>
            document.querySelector('ims-phone').call.remoteStream);
    }
}


export class Firefox {
    /**
     * @param {object} demo  as Browser's
     * @param {{tone?: number}} [options]  Hz of the microphone
     */
    constructor(demo, { tone = MIC } = {}) {
        this.demo = demo;
        this.tone = tone;
        this.listen = listen;
        this.shots = process.env.SHOTS ?? demo.tmp;
    }

    async start() {
        this.browser = await puppeteer.launch({
            browser: 'firefox',
            executablePath: process.env.FIREFOX ?? '/usr/bin/firefox-esr',
            headless: true,
            acceptInsecureCerts: true,
            extraPrefsFirefox: {
                ...PREFS, 'media.navigator.audio.fake_frequency': this.tone,
            },
            timeout: 120000,
            protocolTimeout: 120000,
        });
    }

    async stop() {
        await this.browser?.close();
    }

    version() {
        return this.browser.version();
    }

    /** Closes all pages. */
    async clean() {
        for (const context of this.browser?.browserContexts() ?? []) {
            if (context !== this.browser.defaultBrowserContext()) {
                await context.close();
            }
        }
    }

    /** A page of its own profile, empty. */
    async page() {
        const context = await this.browser.createBrowserContext();

        return new Page(await context.newPage());
    }

    /** The same, logged in and registered. */
    async user(name) {
        const phone = new FirefoxPhone(await this.page(), this);

        await phone.login(name);

        return phone;
    }
}
