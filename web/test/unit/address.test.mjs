/* Copyright (C) the IMS portal authors */

import { test } from 'node:test';
import assert from 'node:assert/strict';

import { dropContact, firstValue, maskTel, normalizeTarget, parseParty,
         unmaskTel } from '../../src/address.js';


const D = 'ims.operator.example';


for (const [typed, uri] of [
    ['+49 (30) 123-456', `sip:+4930123456@${D};user=phone`],
    ['tel:+1-555-0199', `sip:+15550199@${D};user=phone`],
    ['tel:2001;phone-context=acme.example', `sip:2001@${D}`],
    ['2001', `sip:2001@${D}`],
    [' 110 ', `sip:110@${D}`],
    ['*21#', `sip:*21%23@${D}`],
    ['030/123 456', `sip:030123456@${D}`],
    ['bob', `sip:bob@${D}`],
    ['bob.builder', `sip:bob.builder@${D}`],
    ['bob@acme.example', 'sip:bob@acme.example'],
    ['sip:bob@acme.example;transport=tcp',
     'sip:bob@acme.example;transport=tcp'],
    ['SIPS:bob@acme.example', 'sip:bob@acme.example'],
]) {
    test(`"${typed}" is called as ${uri}`, () => {
        assert.equal(normalizeTarget(typed, D), uri);
    });
}


for (const typed of ['', '   ', null, '+', '+12', 'a b', '<sip:a@b>',
                     'sip:a@b\r\nVia: x', 'http://a.example/', '1'.repeat(25),
                     '+1'.repeat(9), 'bob@', '"bob"'])
{
    test(`nobody is called as ${JSON.stringify(typed)}`, () => {
        assert.throws(() => normalizeTarget(typed, D), TypeError);
    });
}


test('reads parties', () => {
    assert.deepEqual(parseParty('"Bob \\"B\\", Dr" <sip:bob@x.example>;tag=1'),
        { uri: 'sip:bob@x.example', number: 'bob@x.example',
          name: 'Bob "B", Dr' });
    assert.deepEqual(parseParty('Bob <tel:+1555;npdi>'),
        { uri: 'tel:+1555', number: '+1555', name: 'Bob' });
    assert.deepEqual(parseParty('sip:2001@x.example;tag=7', 'y.example'),
        { uri: 'sip:2001@x.example', number: '2001', name: '' });
    assert.deepEqual(parseParty(`<sip:bob@${D};user=phone>`, D),
        { uri: `sip:bob@${D}`, number: 'bob', name: '' });
    assert.deepEqual(parseParty(''), { uri: '', number: '', name: '' });
    assert.equal(parseParty('<sip:a%zz@x.example>').number,
                 'a%zz@x.example');
});


test('takes the first of several values', () => {
    assert.equal(firstValue('"a, b" <sip:a@x>, <tel:+1>'), '"a, b" <sip:a@x>');
    assert.equal(firstValue('<sip:a,b@x>, <tel:+1>'), '<sip:a,b@x>');
    assert.equal(firstValue('sip:a@x'), 'sip:a@x');
    assert.equal(firstValue(undefined), '');
});


const MESSAGE = 'INVITE sip:x@y.invalid SIP/2.0\r\n'
    + 'From: "A" <tel:+15550001;cpc=ordinary>;tag=1\r\n'
    + 'To: tel:2001;phone-context=x\r\n'
    + 'P-Asserted-Identity: <tel:+15550001>\r\n\r\n'
    + 'To: <tel:+1>\r\n';


test('tel: URIs are hidden in From and To only, and come back', () => {
    const masked = maskTel(MESSAGE);

    assert.match(masked, /^From: "A" <sip:[0-9a-f]+@tel\.invalid>;tag=1\r$/m);
    assert.match(masked, /^To: sip:[0-9a-f]+@tel\.invalid;phone-context=x\r$/m);
    assert.match(masked, /^P-Asserted-Identity: <tel:\+15550001>\r$/m);
    assert.ok(masked.endsWith('\r\n\r\nTo: <tel:+1>\r\n'));
    assert.equal(unmaskTel(masked), MESSAGE);
    assert.equal(maskTel(MESSAGE.replace(/tel:/g, 'sip:')),
                 MESSAGE.replace(/tel:/g, 'sip:'));
});


test('a Contact that JsSIP cannot read is taken out of a refusal', () => {
    const refusal = (contact) => 'SIP/2.0 380 Alternative Service\r\n'
        + `To: <sip:112@x>;tag=a\r\n${contact}Content-Length: 0\r\n\r\n`
        + 'Contact: <urn:service:sos>\r\n';

    for (const contact of [
        'Contact: <urn:service:sos>\r\n',
        'm: tel:+15550001\r\n',
        'Contact: <sip:a@x>, <tel:+15550001>;q=0.5\r\n',
        'Contact:\r\n <tel:+15550001>\r\n',
    ]) {
        assert.equal(dropContact(refusal(contact)), refusal(''));
    }

    const readable = refusal('Contact: "A" <sip:a@x>, <sips:b@x>\r\n');

    assert.equal(dropContact(readable), readable);

    for (const start of ['SIP/2.0 200 OK', 'INVITE sip:a@x SIP/2.0']) {
        const other = refusal('Contact: <urn:service:sos>\r\n')
            .replace(/^[^\r]*/, start);

        assert.equal(dropContact(other), other);
    }
});


test('nothing but a tel: URI comes back', () => {
    for (const evil of ['tel:1>\r\nVia: x', 'sip:a@b', 'tel:1"', 'tel:'])
    {
        const text = `To: <sip:${Buffer.from(evil).toString('hex')}`
                     + '@tel.invalid>\r\n\r\n';

        assert.equal(unmaskTel(text), text);
    }
});
