/* Copyright (C) the IMS portal authors */

/*
 * An interface that is not the loopback one: Chromium takes addresses only
 * from such, and notices when they change.  It is one end of a pair, both of
 * them in the tests' own namespace; t/browser/run gives the privilege.
 */

import { execFileSync } from 'node:child_process';

const NAME = 'wire0';


/* throws with what ip(8) said */
function ip(...args) {
    return execFileSync('ip', args, { encoding: 'utf8', stdio: 'pipe' });
}

const nodad = (address) => address.includes(':') ? ['nodad'] : [];


export class Wire {
    constructor() {
        this.others = [];
    }

    /** Without an address, as a cable that was plugged in just now. */
    start() {
        ip('link', 'add', NAME, 'type', 'veth', 'peer', 'name', 'wire1');
        ip('link', 'set', 'wire1', 'up');
        ip('link', 'set', NAME, 'up');
    }

    /**
     * An address of the browser's side, and the default route.
     *
     * @param {string} address  with the length of its prefix
     * @param {string} next  of the same prefix: the way to all others
     */
    add(address, next) {
        ip('address', 'add', address, 'dev', NAME, ...nodad(address));
        ip(address.includes(':') ? '-6' : '-4', 'route', 'replace', 'default',
           'via', next, 'dev', NAME);
    }

    remove(address) {
        ip('address', 'del', address, 'dev', NAME);
    }

    /** An address of the helper, which Chromium does not see as its own. */
    other(address) {
        ip('address', 'add', address, 'dev', 'lo', ...nodad(address));
        this.others.push(address);
    }

    /** What goes there is lost from now on. */
    cut(address) {
        ip('address', 'del', address, 'dev', 'lo');
        this.others.splice(this.others.indexOf(address), 1);
    }

    stop() {
        ip('link', 'del', NAME);
        [...this.others].forEach((address) => this.cut(address));
    }
}
