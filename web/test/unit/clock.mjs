/* Copyright (C) the IMS portal authors */

/*
 * A clock that a test moves.  Node.js has one, but not the same in each of
 * the versions that Debian has had.
 */


/** Takes setTimeout(), clearTimeout() and Date.now() over until the test ends. */
export class Clock {
    #now = Date.now();
    #last = 0;
    #due = new Map();

    constructor(t) {
        const real = { setTimeout, clearTimeout, now: Date.now };

        globalThis.setTimeout = (run, ms = 0) => {
            this.#due.set(++this.#last, { at: this.#now + ms, run });

            return this.#last;
        };
        globalThis.clearTimeout = (id) => { this.#due.delete(id); };
        Date.now = () => this.#now;

        t.after(() => {
            globalThis.setTimeout = real.setTimeout;
            globalThis.clearTimeout = real.clearTimeout;
            Date.now = real.now;
        });
    }

    /** So many milliseconds later, with what is due on the way. */
    tick(ms) {
        const end = this.#now + ms;

        for (;;) {
            const [next] = [...this.#due].filter(([, { at }]) => at <= end)
                .sort(([, a], [, b]) => a.at - b.at);

            if (next === undefined) {
                break;
            }

            this.#due.delete(next[0]);
            this.#now = Math.max(this.#now, next[1].at);
            next[1].run();
        }

        this.#now = end;
    }

    /** The computer sleeps: it is later, but no timer has run. */
    sleep(ms) {
        this.#now += ms;
    }
}
