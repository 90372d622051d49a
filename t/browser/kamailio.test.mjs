/* Copyright (C) the IMS portal authors */

/*
 * The helper without the nginx module: a page with JsSIP, Kamailio as its
 * WebSocket edge, Kamailio's rtpengine module over UDP as the driver.
 */

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync,
         writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Browser, Demo, MIC, Phone, audio, top, until } from './lib.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const PORT = { SITE: 8080, WS: 8088, SIP: 15070, FAREND: 15090, NG: 12223,
               WEB: 40000 };
const LOW = 24000, HIGH = 24999;
const serial = { concurrency: false };

/* what runs in the page: one user, one call, as the phone's element has it */

const PAGE = `
    import JsSIP from 'jssip';

    const phone = document.querySelector('ims-phone');
    const socket = new JsSIP.WebSocketInterface('ws://127.0.0.1:${PORT.WS}');
    const media = { audio: { echoCancellation: false, autoGainControl: false,
                             noiseSuppression: false }, video: false };
    const ua = new JsSIP.UA({ sockets: [socket], uri: 'sip:mary@127.0.0.1',
                              session_timers: false });
    const note = (state) => () => {
        if (phone.call) { phone.call.state = state; }
    };

    phone.registered = false;
    ua.on('registered', () => { phone.registered = true; });

    ua.on('newRTCSession', ({ session }) => {
        const call = { session, state: 'calling', remoteStream: null,
                       cause: '' };

        phone.call = call;
        session.on('progress', note('ringing'));
        session.on('confirmed', note('active'));
        session.on('hold', note('held'));
        session.on('unhold', note('active'));

        for (const name of ['ended', 'failed']) {
            session.on(name, ({ cause }) => {
                call.state = 'idle';
                call.cause = cause;
            });
        }

        const take = (pc) => {
            call.connection = pc;
            pc.ontrack = ({ streams, track }) => {
                const audio = new Audio();

                call.remoteStream = streams[0] ?? new MediaStream([track]);
                audio.srcObject = call.remoteStream;
                audio.play();
            };
        };

        session.on('peerconnection', ({ peerconnection }) => {
            take(peerconnection);
        });

        if (session.connection) { take(session.connection); }
    });

    phone.dial = (uri) => { ua.call(uri, { mediaConstraints: media }); };
    phone.answer = () => {
        phone.call.session.answer({ mediaConstraints: media });
    };
    ua.start();
`;


/** Everything but the browser; farend() and call() as the demo has them. */
class Edge {
    constructor() {
        this.tmp = mkdtempSync(join(tmpdir(), 'ims-kamailio-'));
        chmodSync(this.tmp, 0o755);
        this.dir = this.tmp;
        this.children = [];
    }

    run(name, command, args) {
        const child = spawn(command, args, {
            cwd: this.tmp, detached: true,
            stdio: ['ignore', 'pipe', 'pipe'],
        });

        child.said = '';

        for (const stream of [child.stdout, child.stderr]) {
            stream.on('data', (d) => {
                child.said = (child.said + d).slice(-8000);
            });
        }

        child.on('error', (error) => { child.said += error.message; });
        this.children.push(child);
        this[name] = child;
    }

    async start() {
        mkdirSync(join(this.tmp, 'farend'));
        mkdirSync(join(this.tmp, 'page'));

        const conf = readFileSync(join(HERE, 'kamailio.cfg'), 'utf8')
            .replace(/%([A-Z]+)%/g, (_, name) => PORT[name]);

        writeFileSync(join(this.tmp, 'kamailio.cfg'), conf);

        this.run('helper', join(top, 'media-helper/media-helper'),
                 ['-d', '-c', `udp:127.0.0.1:${PORT.NG}`,
                  '-w', `127.0.0.1:${PORT.WEB}`, '-i', '127.0.0.1',
                  '-p', `${LOW}-${HIGH}`]);
        this.run('far', join(top, 'build/farend'),
                 ['-l', `127.0.0.1:${PORT.FAREND}`,
                  '-x', `127.0.0.1:${PORT.SIP}`, '-c', 'farend/ctl',
                  '-m', 'sip:bob@127.0.0.1', '-s', '9197=tone:440']);
        await until(() => this.farend('calls'), 'far end');
        await until(() => this.ng('d7:command4:pinge'), 'helper');

        this.run('kamailio', 'kamailio',
                 ['-DD', '-E', '-m', '32', '-M', '8', '-w', this.tmp,
                  '-Y', this.tmp, '-f', join(this.tmp, 'kamailio.cfg')]);
        await until(() => connects(PORT.WS), 'kamailio', 20000);

        await this.site();
    }

    /** A page with JsSIP in it. */
    async site() {
        const require = createRequire(join(top, 'web/package.json'));
        const { buildSync } = require('esbuild');
        const script = buildSync({
            stdin: { contents: PAGE, resolveDir: join(top, 'web') },
            bundle: true, write: false, format: 'iife', logLevel: 'error',
        }).outputFiles[0].text;

        this.server = createServer((request, response) => {
            response.setHeader('Content-Type', 'text/html');
            response.end('<!doctype html><ims-phone></ims-phone>'
                         + `<script>${script}</script>`);
        });
        await new Promise((r) => this.server.listen(PORT.SITE, '127.0.0.1',
                                                    r));
        this.url = `http://127.0.0.1:${PORT.SITE}/`;
    }

    /** One ng command, the bytes of its answer; throws without one. */
    ng(command) {
        return new Promise((resolve, reject) => {
            const socket = createSocket('udp4');
            const timer = setTimeout(() => {
                socket.close();
                reject(new Error('no answer'));
            }, 1000);

            socket.on('error', reject);
            socket.on('message', (m) => {
                clearTimeout(timer);
                socket.close();
                resolve(m.toString());
            });
            socket.send(`t${Date.now()}_${Math.random()} ${command}`,
                        PORT.NG, '127.0.0.1');
        });
    }

    /** Calls that the helper has. */
    async calls() {
        return Number(/5:callsi(\d+)e/.exec(
            await this.ng('d7:command10:statisticse'))?.[1]);
    }

    async stop() {
        this.server?.closeAllConnections();
        this.server?.close();

        for (const child of this.children) {
            if (child.exitCode === null && child.pid) {
                const gone = new Promise((r) => child.once('exit', r));
                const timer = setTimeout(
                    () => process.kill(-child.pid, 'SIGKILL'), 10000);

                process.kill(-child.pid, 'SIGTERM');
                await gone;
                clearTimeout(timer);
            }
        }

        rmSync(this.tmp, { recursive: true, force: true });
    }
}

Edge.prototype.farend = Demo.prototype.farend;
Edge.prototype.call = Demo.prototype.call;


function connects(port) {
    return new Promise((resolve) => {
        const socket = net.connect(port, '127.0.0.1');

        socket.on('connect', () => { socket.end(); resolve(true); });
        socket.on('error', () => resolve(false));
    });
}


const edge = new Edge();
const browser = new Browser(edge);
let mary;


before(async () => {
    execFileSync('make', ['-s', '-C', join(top, 't/core/farend')]);
    await edge.start();
    await browser.start();

    mary = new Phone(await (await browser.browser.newContext()).newPage(),
                     browser);
    await mary.page.goto(edge.url);
    await until(() => mary.page.evaluate(
        () => document.querySelector('ims-phone').registered), 'registered',
                20000);
});

after(async () => {
    await browser.stop();
    await edge.stop();
});


const session = (method) => mary.page.evaluate((name) => {
    document.querySelector('ims-phone').call.session[name]();
}, method);

async function over() {
    await mary.inState('idle');
    await until(async () => await edge.calls() === 0, 'no call is left');
}


test('a page calls by Kamailio', serial, async (t) => {
    await mary.page.evaluate(
        () => document.querySelector('ims-phone').dial('sip:9197@127.0.0.1'));
    await mary.inState('active', 20000);
    assert.equal(await edge.calls(), 1);
    await audio(t, mary, 440, MIC);
});


test('holds and resumes', serial, async (t) => {
    await session('hold');
    await mary.inState('held');
    await until(async () => (await edge.call()).reinvites === 1, 're-INVITE');

    const held = await edge.call();

    assert.equal(held.send && held.receive, false, 'one way at most');
    await session('unhold');
    await mary.inState('active');
    await audio(t, mary, 440, MIC);
});


test('hangs up: Kamailio deletes the call', serial, async () => {
    await session('terminate');
    await over();
});


test('is called by Kamailio', serial, async (t) => {
    await edge.farend('call sip:mary@127.0.0.1 tone 523');
    await until(() => mary.page.evaluate(() => {
        const call = document.querySelector('ims-phone').call;

        return call.session.direction === 'incoming'
               && !call.session.isEnded();
    }), 'a call', 20000);
    await mary.page.evaluate(
        () => document.querySelector('ims-phone').answer());
    await mary.inState('active', 20000);
    await audio(t, mary, 523, MIC);
    await edge.farend('hangup');
    await over();
});


test('nothing was said at the level of an error', serial, () => {
    assert.ok(!/ERROR|CRITICAL/.test(edge.kamailio.said),
              edge.kamailio.said);
    assert.ok(!/\[(err|error|crit)/.test(edge.helper.said),
              edge.helper.said);
});
