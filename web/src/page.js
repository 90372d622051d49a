/* Copyright (C) the IMS portal authors */

/*
 * What the page around the phone tells: it is left, it is back, the network
 * is another.
 */


export class Page {
    #listeners;

    /**
     * @param {object} hooks
     * @param {() => void} hooks.left    it is left, perhaps for good
     * @param {() => void} hooks.back    from the back-forward cache
     * @param {() => void} hooks.online  there is a network again
     */
    constructor({ left, back, online }) {
        this.#listeners = [
            ['pagehide', () => left()],
            ['pageshow', (e) => e.persisted && back()],
            ['online', () => online()],
        ];
    }

    /** @param {boolean} on */
    listen(on) {
        const page = globalThis.window;

        if (!page?.addEventListener) {
            return;
        }

        for (const [type, listener] of this.#listeners) {
            if (on) {
                page.addEventListener(type, listener);

            } else {
                page.removeEventListener(type, listener);
            }
        }
    }
}
