/* Copyright (C) the IMS portal authors */

/*
 * A call by drachtio's npm client, as its applications make it.
 *
 * usage: node drive.js udp|tcp ADDR PORT < {"web": SDP, "ims": SDP}
 *
 * Writes a line of JSON with the reply to each command.
 */

'use strict';

const fs = require('fs');
const { Client, TcpClient } = require('rtpengine-client');

const [transport, host, port] = process.argv.slice(2);
const sdp = JSON.parse(fs.readFileSync(0, 'utf8'));
const options = { timeout: 30000 };

/* the client writes to the standard output what is no reply */

console.log = () => {};

const client = (transport === 'udp') ? new Client(options)
    : new TcpClient({ ...options, hostport: `${host}:${port}` });

const told = [];

async function command(name, keys)
{
    const args = (transport === 'udp') ? [Number(port), host] : [];

    told.push([name, await client[name](...args, keys || {})]);
}

async function run()
{
    const call = { 'call-id': `drachtio-${transport}`, 'from-tag': 'A' };

    await command('ping');
    await command('offer', { ...call, sdp: sdp.web, ICE: 'remove',
        'transport-protocol': 'RTP/AVP', 'rtcp-mux': ['demux'],
        direction: ['web', 'ims'], replace: ['origin'],
        flags: ['trust address'], 'record call': 'no' });
    await command('answer', { ...call, 'to-tag': 'B', sdp: sdp.ims,
        ICE: 'force', DTLS: 'passive', direction: ['ims', 'web'],
        'transport-protocol': 'UDP/TLS/RTP/SAVPF',
        replace: ['origin'] });
    await command('query', { 'call-id': call['call-id'] });
    await command('list');
    await command('statistics');
    await command('startRecording', call);
    await command('delete', call);
    await command('query', { 'call-id': call['call-id'] });

    process.stdout.write(JSON.stringify(told) + '\n');
    client.close();
}

client.on('error', (err) => {
    process.stderr.write(`${err}\n`);
    process.exit(1);
});

client.on('listening', () => {
    run().catch((err) => {
        process.stderr.write(`${err}\n`);
        process.exit(1);
    });
});
