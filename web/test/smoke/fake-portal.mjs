/* Copyright (C) the IMS portal authors */

/*
 * Just enough of a portal for the browser side's own smoke test: the site's
 * files, the session API and a SIP proxy over WebSockets that registers
 * users and carries messages between them.  It is lax on purpose; the real
 * one is nginx with the module, which t/browser drives.
 *
 * Users are called by name or number.  Towards others a user is a tel: URI,
 * as an IMS may present it.
 */

import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { WebSocketServer } from 'ws';


const DOMAIN = 'ims.operator.example';
const NUMBERS = { mary: '+15550001', bob: '+15550002',
                  carol: '+15550003', dave: '+15550004' };
const TYPES = { '.html': 'text/html', '.js': 'text/javascript',
                '.css': 'text/css', '.svg': 'image/svg+xml' };
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; "
               + "img-src 'self'; connect-src 'self'; form-action 'self'; "
               + "base-uri 'none'; frame-ancestors 'none'";


export class FakePortal {
    /** User to {ws, contact, instance}. */
    bindings = new Map();

    /** Users whose token is no longer good. */
    expired = new Set();

    /** Lines "user METHOD" of all requests, and counts of sockets. */
    log = [];
    sockets = 0;

    /** Seconds a token lasts. */
    life = 3600;

    /** Answer REGISTER? */
    answering = true;

    /** Send the answer in a 183 first, and the 200 so many ms later. */
    early = 0;

    /** Answers of the session API that come first: [status, headers]. */
    trouble = [];

    constructor({ site, dist }) {
        this.roots = { site, dist };
        this.http = createServer((req, res) => this.#serve(req, res));
        this.wss = new WebSocketServer({ noServer: true });
        this.http.on('upgrade', (req, socket, head) =>
            this.#upgrade(req, socket, head));
    }

    async listen() {
        await new Promise((done) => this.http.listen(0, '127.0.0.1', done));
        this.origin = `http://127.0.0.1:${this.http.address().port}`;
    }

    close() {
        this.wss.clients.forEach((ws) => ws.terminate());
        this.http.closeAllConnections();
        this.http.close();
    }

    /** Ends a user's socket: with a close frame, or without any (null). */
    cut(user, code) {
        const { ws } = this.bindings.get(user);

        if (code === null) {
            ws.terminate();

        } else {
            ws.close(code, 'test');
        }
    }

    count(line) {
        return this.log.filter((l) => l === line).length;
    }

    async #serve(req, res) {
        const path = new URL(req.url, this.origin).pathname;
        const user = userOf(req);
        const json = (status, body, headers = {}) => {
            res.writeHead(status, { 'Content-Type': 'application/json',
                                    ...headers });
            res.end(JSON.stringify(body));
        };

        if (path === '/login') {
            let text = '';

            for await (const chunk of req) {
                text += chunk;
            }

            const name = JSON.parse(text).user;

            if (!(name in NUMBERS)) {
                return json(401, {});
            }

            this.expired.delete(name);
            res.writeHead(204, { 'Set-Cookie': `ims_session=${name}; Path=/` });
            return res.end();
        }

        if (path === '/logout') {
            res.writeHead(204, { 'Set-Cookie': 'ims_session=; Max-Age=0' });
            return res.end();
        }

        if (path === '/renew') {
            res.writeHead(user && !this.expired.has(user) ? 204 : 401);
            return res.end();
        }

        if (path === '/whoami') {
            return user ? json(200, { user }) : json(401, {});
        }

        if (path === '/ims/session' && this.trouble.length > 0) {
            const [status, headers] = this.trouble.shift();

            return json(status, { title: 'Trouble', detail: `no: ${status}` },
                        headers);
        }

        if (path === '/ims/session') {
            if (!user || this.expired.has(user)) {
                return json(401, { title: 'Unauthorized',
                                   detail: 'the token has expired' });
            }

            this.log.push(`${user} ${req.method} session`);

            if (req.method === 'DELETE') {
                res.writeHead(204);
                return res.end();
            }

            return json(200, {
                identity: `sip:${user}@${DOMAIN}`,
                aliases: [`tel:${NUMBERS[user]}`], domain: DOMAIN, user,
                websocket: this.origin.replace('http', 'ws') + '/ims/sip',
                expires: Math.floor(Date.now() / 1000) + this.life,
                expires_in: this.life, ice_servers: [],
            });
        }

        const name = path === '/' ? 'index.html' : path.split('/').pop();
        const root = path.startsWith('/ims/') ? this.roots.dist
                                              : this.roots.site;

        try {
            const body = await readFile(`${root}/${name}`);

            res.writeHead(200, { 'Content-Type': TYPES[extname(name)],
                                 'Content-Security-Policy': POLICY });
            res.end(body);

        } catch {
            res.writeHead(404);
            res.end();
        }
    }

    #upgrade(req, socket, head) {
        const user = userOf(req) ?? null;

        /* Without a cookie the token comes in REGISTER. */
        if (this.expired.has(user)) {
            socket.end('HTTP/1.1 401 Unauthorized\r\n\r\n');
            return;
        }

        this.wss.handleUpgrade(req, socket, head, (ws) => {
            this.sockets++;
            ws.on('message', (data) => {
                const text = `${data}`;
                const name = user ?? bearerOf(text);

                if (name !== undefined) {
                    this.#onMessage(name, ws, text);
                }
            });
            ws.on('close', (code) => this.log.push(`${user} close ${code}`));
        });
    }

    #onMessage(user, ws, text) {
        if (text.trim() === '') {
            return;
        }

        if (text.startsWith('SIP/2.0 ')) {
            this.#onResponse(text);
            return;
        }

        const [, method, uri] = /^([A-Z]+) (\S+)/.exec(text);

        this.log.push(`${user} ${method}`);

        if (method === 'REGISTER') {
            this.#onRegister(user, ws, text);
            return;
        }

        const target = this.#find(uri);

        if (!target) {
            this.#reply(ws, text, '404 Not Found');
            return;
        }

        const via = `Via: SIP/2.0/WS fake.invalid;user=${user};branch=`
                    + `${/branch=([^;\s]+)/.exec(text)[1]}p\r\n`;

        target.ws.send(text
            .replace(/^(\S+) \S+/, `$1 ${target.contact}`)
            .replace(/\r\n/, `\r\n${via}`)
            .replace(new RegExp(`<sip:${user}@${DOMAIN}>`, 'g'),
                     `<tel:${NUMBERS[user]}>`)
            .replace(/^Content-Length/m, 'P-Asserted-Identity: '
                     + `"${user}, tester" <tel:${NUMBERS[user]}>\r\n$&`));
    }

    #onResponse(text) {
        const via = /^Via: SIP\/2\.0\/WS fake\.invalid;user=([^;]+);.*\r\n/m;
        const user = via.exec(text)?.[1];

        const send = (message) => this.bindings.get(user)?.ws.send(message);
        const own = text.replace(via, '');

        if (this.early && /^CSeq: \d+ INVITE\r$/m.test(own)
            && own.startsWith('SIP/2.0 200'))
        {
            send(own.replace('200 OK', '183 Session Progress'));
            setTimeout(send, this.early, own);
            this.early = 0;

        } else {
            send(own);
        }
    }

    #onRegister(user, ws, text) {
        if (!this.answering) {
            return;
        }

        const contact = /^Contact: (.*)\r$/m.exec(text)[1];

        if (this.expired.has(user)) {
            this.#reply(ws, text, '401 Unauthorized');
            return;
        }

        if (/;expires=0/.test(contact)) {
            this.bindings.delete(user);
            this.#reply(ws, text, '200 OK');
            return;
        }

        this.bindings.set(user, {
            ws, contact: /<([^>]+)>/.exec(contact)[1],
            instance: /\+sip\.instance="<([^>]+)>"/.exec(contact)[1],
            raw: text,
        });
        this.#reply(ws, text, '200 OK', `Contact: ${contact}\r\n`);
    }

    #reply(ws, text, status, extra = '') {
        const copied = text.match(/^(Via|From|To|Call-ID|CSeq):.*\r\n/gm)
                       .join('').replace(/^(To:[^;\r]*)\r$/m, '$1;tag=f\r');

        if (!text.startsWith('ACK')) {
            ws.send(`SIP/2.0 ${status}\r\n${copied}${extra}`
                    + 'Content-Length: 0\r\n\r\n');
        }
    }

    #find(uri) {
        const name = /^sip:([^@;]+)/.exec(uri)?.[1];

        for (const [user, binding] of this.bindings) {
            if (name === user || name === NUMBERS[user]
                || binding.contact.startsWith(`sip:${name}@`))
            {
                return binding;
            }
        }

        return undefined;
    }
}


function userOf(req) {
    return /ims_session=(\w+)/.exec(req.headers.cookie ?? '')?.[1]
           ?? /^Bearer (\w+)/.exec(req.headers.authorization ?? '')?.[1];
}


function bearerOf(message) {
    return /^Authorization: Bearer (\w+)\r$/m.exec(message)?.[1];
}
