/* Copyright (C) the IMS portal authors */

import { webcrypto } from 'node:crypto';
import { test } from 'node:test';
import assert from 'node:assert/strict';

import { afterClose, backoff, closeText, renewIn } from '../../src/backoff.js';
import { causeOf, causeOfBye, explain, isLimit, parseReason }
    from '../../src/causes.js';
import { takeInstance } from '../../src/instance.js';
import { SessionError, fetchSession } from '../../src/session.js';

/* what every browser has, and Node.js only from 20 on */
globalThis.crypto ??= webcrypto;


test('back-off doubles, is capped, and is half random', () => {
    assert.deepEqual([1, 2, 3, 4, 5, 6, 7, 50].map((n) => backoff(n, () => 1)),
        [1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
    assert.equal(backoff(1, () => 0), 500);
    assert.equal(backoff(9, () => 0), 15000);
});


test('close codes', () => {
    const half = () => 0.5;

    assert.deepEqual(afterClose({ code: 4401, opened: true }, 1, half),
        { action: 'token', delay: 0, session: true });
    assert.equal(afterClose({ code: 4403, opened: true }, 1).action, 'refused');
    assert.equal(afterClose({ code: 4409, opened: true }, 1).action, 'refused');
    assert.equal(afterClose({ code: 1008, opened: true }, 1).action, 'refused');

    for (const [code, text] of [[4403, /withdrawn/], [4409, /another window/],
                                [4410, /somebody else/], [4411, /administrator/]])
    {
        assert.equal(afterClose({ code, opened: true }, 1).action, 'refused');
        assert.match(closeText(code), text);
    }

    assert.match(closeText(1008), /refused/);
    assert.equal(afterClose({ code: 4412, opened: true }, 1).action, 'out');
    assert.match(closeText(4412), /logged out/);
    assert.deepEqual(afterClose({ code: 1012, opened: true }, 1, half),
        { action: 'retry', delay: 250, session: false });
    assert.deepEqual(afterClose({ code: 1006, opened: true }, 1, half),
        { action: 'retry', delay: 600, session: false });

    /* No storm on a server that restarts for ever. */
    assert.ok(afterClose({ code: 1012, opened: true }, 5, half).delay > 9000);

    /* A refused handshake shows no status: ask the session API. */
    assert.deepEqual(afterClose({ code: 1006, opened: false }, 1, half),
        { action: 'retry', delay: 750, session: true });
});


test('renewal comes before the end', () => {
    assert.equal(renewIn(3600000), 2880000, 'at four fifths');
    assert.equal(renewIn(100000), 70000, 'half a minute before');
    assert.equal(renewIn(10000), 5000, 'at half of a very short life');
    assert.equal(renewIn(-5), 0);
});


test('causes', () => {
    assert.equal(causeOf(486), 'busy');
    assert.equal(causeOf(699), 'rejected');
    assert.equal(causeOf(599), 'server');
    assert.equal(causeOf(499), 'error');
    assert.equal(causeOf(0, 'Terminated'), 'hangup');
    assert.equal(causeOf(0, 'whatever'), 'error');
    assert.equal(explain('busy'), 'The other side is busy.');

    assert.equal(explain(causeOf(380)),
        'Emergency calls are not possible here, use a telephone.');
    assert.equal(explain(causeOf(484)), 'The number is not complete.');
    assert.ok(isLimit('399 portal "too many calls at once"'));
    assert.ok(!isLimit('399 portal "number barred"'));
    assert.ok(!isLimit(undefined));
    assert.equal(explain('nonsense'), explain('error'));
});


test('Reason', () => {
    assert.deepEqual(parseReason('SIP ;cause=200 ;text="Call completed"'),
        { protocol: 'SIP', cause: 200, text: 'Call completed' });
    assert.deepEqual(parseReason('Q.850;cause=16'),
        { protocol: 'Q.850', cause: 16, text: '' });
    assert.equal(parseReason('SIP'), null);
    assert.equal(parseReason(undefined), null);

    const bye = (reason) => causeOfBye(parseReason(reason));

    assert.equal(bye('SIP;cause=503;text="media lost"'), 'media-lost');
    assert.equal(bye('SIP;cause=488;text="DTLS failed"'), 'media');
    assert.equal(bye('SIP;cause=503;text="something else"'), 'hangup');
    assert.equal(bye('Q.850;cause=16'), 'hangup');
    assert.equal(bye(undefined), 'hangup');
});


class Storage {
    map = new Map();
    getItem(k) { return this.map.get(k) ?? null; }
    setItem(k, v) { this.map.set(k, v); }
}


/* As the browser's, without a queue. */
class Locks {
    held = new Set();

    async request(name, options, callback) {
        if (this.held.has(name)) {
            if (options.signal) {
                throw new Error('timed out');
            }

            return callback(null);
        }

        this.held.add(name);
        await callback({ name });
        this.held.delete(name);
    }
}


test('an instance per tab, stable over reloads', async () => {
    const deps = { storage: new Storage(), locks: new Locks() };
    const first = await takeInstance(deps);
    const second = await takeInstance(deps);

    assert.match(first.id,
        /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    assert.notEqual(second.id, first.id);

    first.free();
    await new Promise((done) => setTimeout(done));
    assert.equal((await takeInstance(deps)).id, first.id);
});


test('an instance without storage, and with a broken one', async () => {
    const broken = { getItem() { throw new Error('denied'); } };

    assert.match((await takeInstance({ storage: broken, locks: null })).id,
                 /^[0-9a-f-]{36}$/);

    const odd = new Storage();

    odd.setItem('ims-portal.instance.0', 'x"><script>');
    assert.match((await takeInstance({ storage: odd, locks: null })).id,
                 /^[0-9a-f-]{36}$/);
});


const GOOD = {
    identity: 'sip:u1@acme.example', domain: 'acme.example', user: 'mary',
    websocket: 'wss://acme.example/ims/sip', expires: 1800000000,
    expires_in: 600, aliases: ['tel:+1555'], ice_servers: [],
};

const answer = (status, body, headers = {}) => async () =>
    new Response(body === null ? 'x' : JSON.stringify(body),
                 { status, headers });


test('session: POST, with the token where there is one', async () => {
    let seen;
    const session = await fetchSession('/s', {
        token: 'abc', fetch: async (...args) => {
            seen = args;
            return answer(200, GOOD)();
        },
    });

    assert.equal(seen[1].method, 'POST');
    assert.equal(seen[1].headers.Authorization, 'Bearer abc');
    assert.equal(session.user, 'mary');
    assert.ok(Math.abs(session.expires_at - Date.now() - 600000) < 1000);
});


test('session: problems', async () => {
    const failing = (fetch) => fetchSession('/s', { fetch }).then(
        () => assert.fail('no error'), (e) => e);
    let e = await failing(answer(503, { detail: 'pool exhausted' },
                                 { 'Retry-After': '30' }));

    assert.ok(e instanceof SessionError);
    assert.deepEqual([e.status, e.message, e.retryAfter],
                     [503, 'pool exhausted', 30]);

    e = await failing(answer(401, null));
    assert.equal(e.status, 401);

    for (const body of [null, {}, [], { ...GOOD, identity: 'x' },
                        { ...GOOD, websocket: 'javascript:1' }])
    {
        e = await failing(answer(200, body));
        assert.equal(e.status, 0);
    }

    e = await failing(async () => { throw new TypeError('offline'); });
    assert.equal(e.status, 0);
});
