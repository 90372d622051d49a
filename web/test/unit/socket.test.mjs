/* Copyright (C) the IMS portal authors */

import { test } from 'node:test';
import assert from 'node:assert/strict';

import { PortalSocket } from '../../src/socket.js';


class FakeWebSocket {
    static all = [];
    readyState = 0;
    sent = [];

    constructor(url, protocol) {
        this.url = url;
        this.protocol = protocol;
        FakeWebSocket.all.push(this);
    }

    send(text) { this.sent.push(text); }
    close(code) { this.closed = code; this.readyState = 3; }
    open() { this.readyState = 1; this.onopen(); }
    fail(code) { this.readyState = 3; this.onclose({ code, reason: '' }); }
    methods() { return this.sent.map((t) => t.split(' ')[0]); }
}


function request(method, branch, extra = '') {
    return `${method} sip:b@x.example SIP/2.0\r\n`
        + `Via: SIP/2.0/WSS h.invalid;branch=z9hG4bK${branch}\r\n`
        + 'From: <sip:a@x.example>;tag=1\r\nTo: <sip:b@x.example>\r\n'
        + `Call-ID: ${branch}\r\nCSeq: 7 ${method}\r\n${extra}\r\n`;
}

const response = (status, method, branch) =>
    request(method, branch).replace(/^.*\r\n/, `SIP/2.0 ${status} X\r\n`);


function setup() {
    const socket = new PortalSocket('wss://x.example:8443/ims/sip',
                                    { WebSocket: FakeWebSocket });
    const events = [];

    socket.onconnect = () => events.push('connect');
    socket.ondisconnect = () => events.push('disconnect');
    socket.ondata = (text) => events.push(text.split('\r\n')[0]);
    socket.onup = () => events.push('up');
    socket.ondown = (e) => events.push(`down ${e.code} ${e.opened}`);

    const again = () => {
        socket.connect();
        return FakeWebSocket.all.at(-1);
    };

    return { socket, events, again };
}


test('speaks the sip subprotocol and names itself to JsSIP', () => {
    const { socket, again } = setup();

    assert.equal(again().protocol, 'sip');
    assert.equal(socket.via_transport, 'WSS');
    assert.equal(socket.sip_uri, 'sip:x.example:8443;transport=ws');
});


test('JsSIP hears of the first connection only', () => {
    const { events, again } = setup();

    again().open();
    FakeWebSocket.all.at(-1).fail(1006);
    again().open();
    assert.deepEqual(events, ['connect', 'up', 'down 1006 true', 'up']);
});


test('a failed handshake is told apart', () => {
    const { events, again } = setup();

    again().fail(1006);
    assert.deepEqual(events, ['down 1006 false']);
});


test('before it is released only REGISTER passes', () => {
    const { socket, again } = setup();
    const ws = again();

    assert.equal(socket.send(request('REGISTER', 'r')), false);
    ws.open();
    socket.send(request('BYE', 'b'));
    socket.send(request('REGISTER', 'r'));
    assert.deepEqual(ws.methods(), ['REGISTER']);
    socket.release();
    assert.deepEqual(ws.methods(), ['REGISTER', 'BYE']);
});


test('what was sent while away goes out once and in order', () => {
    const { socket, again } = setup();
    const ws = again();

    ws.open();
    socket.release();
    ws.fail(1012);
    socket.send('SIP/2.0 200 OK\r\nVia: x\r\n\r\n');
    socket.send('SIP/2.0 200 OK\r\nVia: x\r\n\r\n');
    socket.send(request('INFO', 'i'));
    socket.send('\r\n');

    const next = again();

    next.open();
    socket.release();
    assert.deepEqual(next.methods(), ['SIP/2.0', 'INFO']);
});


test('unanswered requests are repeated with their branch, answered not', () => {
    const { socket, again } = setup();
    const ws = again();

    ws.open();
    socket.release();

    for (const [method, branch] of [['INVITE', 'a'], ['MESSAGE', 'b'],
                                    ['UPDATE', 'c'], ['ACK', 'd']])
    {
        socket.send(request(method, branch));
    }

    ws.onmessage({ data: response(100, 'INVITE', 'a') });
    ws.onmessage({ data: response(200, 'MESSAGE', 'b') });
    ws.fail(1006);

    const next = again();

    next.open();
    socket.release();
    assert.deepEqual(next.sent, [request('UPDATE', 'c')]);
});


test('a REGISTER that was under way fails with 503, once', () => {
    const { socket, events, again } = setup();
    const ws = again();

    ws.open();
    socket.send(request('REGISTER', 'r'));
    ws.fail(1006);
    assert.deepEqual(events.slice(2), ['SIP/2.0 503 Service Unavailable',
                                       'down 1006 true']);

    const next = again();

    next.open();
    socket.send(request('REGISTER', 's'));
    next.onmessage({ data: response(100, 'REGISTER', 's') });
    next.onmessage({ data: response(200, 'REGISTER', 's') });
    next.fail(1006);
    assert.equal(events.filter((e) => /503/.test(e)).length, 1);
});


test('the queue has an end', () => {
    const { socket, again } = setup();

    again();

    for (let n = 0; n < 64; n++) {
        assert.equal(socket.send(request('MESSAGE', `m${n}`)), true);
    }

    assert.equal(socket.send(request('MESSAGE', 'more')), false);
});


test('disconnect() says good-bye and forgets', () => {
    const { socket, events, again } = setup();
    const ws = again();

    ws.open();
    socket.disconnect();
    assert.equal(ws.closed, 1000);
    assert.equal(ws.onclose, null);
    assert.deepEqual(events, ['connect', 'up']);
    assert.equal(socket.live, false);
});


test('binary frames are text, tel: is masked in and unmasked out', () => {
    const { socket, again } = setup();
    const ws = again();
    let got;

    ws.open();
    socket.release();
    socket.ondata = (text) => { got = text; };
    ws.onmessage({ data: new TextEncoder().encode(
        request('MESSAGE', 'x').replace('sip:a@x.example', 'tel:+1555')) });
    assert.match(got, /^From: <sip:[0-9a-f]+@tel\.invalid>;tag=1\r$/m);
    assert.equal(socket.received, 1);
    socket.send(got.replace(/^MESSAGE.*\r\n/, 'SIP/2.0 200 OK\r\n'));
    assert.match(ws.sent[0], /^From: <tel:\+1555>;tag=1\r$/m);
});


test('says in the close frame whether another socket follows', () => {
    const { socket, again } = setup();
    const first = again();

    first.open();

    const second = again();

    assert.equal(first.closed, 4408);
    second.open();
    socket.disconnect();
    assert.equal(second.closed, 1000);
});


test('a ticket lets one WebSocket in', () => {
    const { socket, again } = setup();

    socket.ticket = 'abc123';
    assert.deepEqual(again().protocol, ['sip', 'ims-ticket.abc123']);
    assert.equal(again().protocol, 'sip', 'and not the next one');
});
