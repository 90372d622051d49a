/* Copyright (C) the IMS portal authors */

import { test } from 'node:test';
import assert from 'node:assert/strict';

import { Login } from '../../src/login.js';
import { Clock } from './clock.mjs';

const SESSION = {
    identity: 'sip:u1@acme.example', domain: 'acme.example', user: 'mary',
    websocket: 'wss://acme.example/ims/sip', expires: 1800000000,
    expires_in: 100, aliases: [], ice_servers: [],
};


/* fetch() that notes what it was asked; answers by "METHOD url" */
function server(answers = {}) {
    const seen = [], sent = {};

    return {
        seen, sent,
        fetch: async (url, { method, headers }) => {
            seen.push(`${method} ${url}`);
            Object.assign(sent, headers);

            const answer = answers[`${method} ${url}`] ?? SESSION;

            return typeof answer === 'number'
                   ? new Response(answer === 204 ? null : '{}',
                                  { status: answer })
                   : new Response(JSON.stringify(answer));
        },
    };
}


/* a timer's promise chain needs more than one turn of the loop */
const settled = async () => {
    for (let i = 0; i < 20; i++) {
        await new Promise((done) => setImmediate(done));
    }
};


const HOOKS = { renew: async () => false, expiring: () => {} };


test('asks by POST, renews by PUT, reads by GET', async () => {
    const { seen, fetch } = server();
    const login = new Login({ session: '/s', fetch }, HOOKS);

    for (const method of ['POST', 'PUT', 'GET']) {
        assert.equal((await login.ask(method)).user, 'mary');
    }

    assert.deepEqual(seen, ['POST /s', 'PUT /s', 'GET /s']);
    assert.equal(login.bearer, null);
});


test('a lease that is gone is leased again', async () => {
    for (const status of [404, 405]) {
        const { seen, fetch } = server({ 'PUT /s': status });

        await new Login({ session: '/s', fetch }, HOOKS).ask('PUT');
        assert.deepEqual(seen, ['PUT /s', 'POST /s']);
    }

    const { seen, fetch } = server({ 'PUT /s': 401 });

    await assert.rejects(new Login({ session: '/s', fetch }, HOOKS).ask('PUT'),
                         { status: 401 });
    assert.deepEqual(seen, ['PUT /s'], 'not after a refusal');
});


test('the token and the wish for a ticket go along', async () => {
    const { sent, fetch } = server();
    let n = 0;
    const login = new Login({ session: '/s', fetch, ticket: true,
                              token: async () => `t${++n}` }, HOOKS);

    await login.ask();
    assert.equal(sent.Authorization, 'Bearer t1');
    assert.equal(sent.Prefer, 'ticket');
    await login.ask('PUT');
    assert.equal(login.bearer, 'Bearer t2');
    assert.ok(login.ticketed && login.renewable);
});


test('refreshes the cookie at a URL, or by a function', async () => {
    const { seen, fetch } = server({ 'POST /no': 401 });
    const of = (renew) => new Login({ session: '/s', fetch, renew }, HOOKS);
    let asked = 0;

    await of('/renew').refresh();
    await of(async () => { asked++; }).refresh();
    await of(null).refresh();
    assert.deepEqual([seen, asked], [['POST /renew'], 1]);
    await assert.rejects(of('/no').refresh(), { status: 401 });
});


test('gives the identity back, and does not mind if it cannot', async () => {
    const { seen, fetch } = server({ 'DELETE /s': 204, 'DELETE /no': 404 });

    await new Login({ session: '/s', fetch }, HOOKS).release();
    await new Login({ session: '/no', fetch }, HOOKS).release();
    assert.deepEqual(seen, ['DELETE /s', 'DELETE /no']);
});


test('renews in time, says so when nobody did, tries again', async (t) => {
    const clock = new Clock(t);
    const { fetch } = server();
    const told = [];
    let renewed = 0;
    const login = new Login({ session: '/s', fetch }, {
        renew: async () => { renewed++; return false; },
        expiring: (seconds) => told.push(seconds),
    });

    login.take({ ...SESSION, expires_at: Date.now() + 100000 });
    clock.tick(69000);
    await settled();
    assert.equal(renewed, 0, 'not too early');
    clock.tick(2000);
    await settled();
    assert.deepEqual([renewed, told], [1, [29]]);
    clock.tick(15000);
    await settled();
    assert.deepEqual([renewed, told], [2, [29, 14]], 'once more');

    login.stop();
    clock.tick(100000);
    await settled();
    assert.equal(renewed, 2, 'stopped');
});


test('TURN credentials are fresh', async (t) => {
    const clock = new Clock(t);
    const turn = (username) => [{ urls: ['turn:t.example'], username,
                                  credential: 'x', ttl: 100 }];
    const { seen, fetch } = server({
        'GET /s': { ...SESSION, ice_servers: turn('new') },
    });
    const login = new Login({ session: '/s', fetch }, HOOKS);

    login.take({ ...SESSION, ice_servers: turn('old'), expires_at: 0 });
    assert.equal(login.iceServers[0].username, 'old');
    clock.tick(81000);
    await settled();
    assert.deepEqual(seen, ['GET /s']);
    assert.equal(login.iceServers[0].username, 'new');

    /* a computer that slept: its timers did not run */
    clock.sleep(500000);
    await settled();
    seen.length = 0;
    assert.equal(login.iceServers.length, 1);
    await settled();
    assert.ok(seen.length <= 1);
    login.stop();
});


test('TURN credentials that cannot be had are asked for again', async (t) => {
    const clock = new Clock(t);
    const { seen, fetch } = server({ 'GET /s': 503 });
    const login = new Login({ session: '/s', fetch }, HOOKS);

    login.take({ ...SESSION, expires_at: 0, ice_servers: [
        { urls: ['turn:t.example'], ttl: 100 },
    ] });

    for (const ms of [81000, 11000, 11000]) {
        clock.tick(ms);
        await settled();
    }

    assert.deepEqual(seen, ['GET /s', 'GET /s', 'GET /s']);
    assert.equal(login.iceServers.length, 1, 'the old ones are still there');
    login.stop();
});
