/* Copyright (C) the IMS portal authors */

/*
 * The +sip.instance of this browser profile (RFC 5626 section 4.1): the same
 * after a reload and after a restart of the browser, so that the portal finds
 * the same binding again.
 *
 * Two tabs must not share one, or each would throw the other out.  So there
 * are a few, each guarded by a Web Lock which the browser frees with the tab:
 * the first tab has the first, the second tab the second.
 */


const SLOTS = 8;
const NAME = 'ims-portal.instance.';


/**
 * Takes the first free instance of this profile.
 *
 * @param {object} [deps]  for tests
 * @param {Storage} [deps.storage]
 * @param {LockManager} [deps.locks]
 * @returns {Promise<{id: string, free: () => void}>} id: a UUID
 */
export async function takeInstance(deps = {}) {
    const storage = deps.storage ?? safeStorage();
    const locks = deps.locks ?? globalThis.navigator?.locks;

    if (!locks) {
        return { id: idOf(storage, 0), free() {} };
    }

    for (let slot = 0; slot < SLOTS; slot++) {
        /* A reloaded page may be faster than the end of the old one. */
        const free = await take(locks, NAME + slot, slot === 0 ? 300 : 0);

        if (free) {
            return { id: idOf(storage, slot), free };
        }
    }

    return { id: newUuid(), free() {} };
}


function take(locks, name, wait) {
    return new Promise((resolve) => {
        const options = wait ? { signal: AbortSignal.timeout(wait) }
                             : { ifAvailable: true };

        locks.request(name, options, (lock) => {
            if (lock === null) {
                resolve(null);
                return undefined;
            }

            return new Promise((free) => resolve(free));

        }).catch(() => resolve(null));
    });
}


function idOf(storage, slot) {
    let id = null;

    try {
        id = storage?.getItem(NAME + slot) ?? null;

        if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) {
            id = newUuid();
            storage?.setItem(NAME + slot, id);
        }

    } catch {
        /* No storage, or none left: this page has an instance of its own. */
        id = id ?? newUuid();
    }

    return id;
}


function newUuid() {
    const b = crypto.getRandomValues(new Uint8Array(16));

    b[6] = (b[6] & 0x0f) | 0x40;
    b[8] = (b[8] & 0x3f) | 0x80;

    return Array.from(b, (x) => x.toString(16).padStart(2, '0')).join('')
           .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}


function safeStorage() {
    try {
        return globalThis.localStorage ?? null;

    } catch {
        return null;
    }
}
