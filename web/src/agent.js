/* Copyright (C) the IMS portal authors */

/*
 * JsSIP's user agent, made for this portal.
 */

import JsSIP from 'jssip';

import { firstValue, parseParty } from './address.js';
import { causeOf } from './causes.js';
import { PortalError } from './error.js';
import { PortalSocket } from './socket.js';


/** TS 24.229 section 5.1.1.2.1, TS 24.173: IMS multimedia telephony. */
export const MMTEL = 'urn:urn-7:3gpp-service.ims.icsi.mmtel';


/**
 * @param {object} session   of the session API
 * @param {object} options
 * @param {string} options.instance  +sip.instance
 * @param {string|null} options.bearer  "Bearer ...", where SIP needs it
 * @param {number} options.registerExpires  seconds
 * @returns {{ua: JsSIP.UA, socket: PortalSocket}}  not started
 */
export function makeAgent(session, { instance, bearer, registerExpires }) {
    const socket = new PortalSocket(session.websocket);
    const ua = new JsSIP.UA({
        sockets: socket,
        uri: session.identity,
        register: false,
        register_expires: registerExpires,
        instance_id: instance,
        authorization_jwt: bearer,
        session_timers: true,
        user_agent: 'ims-portal',
    });

    socket.ticket = session.ticket ?? null;

    ua.registrator().setExtraContactParams({
        '+g.3gpp.icsi-ref': `"${encodeURIComponent(MMTEL)}"`,
    });

    return { ua, socket };
}


/**
 * @param {JsSIP.UA} ua
 * @param {number} limit  ms
 * @returns {Promise<void>} when it is not registered any more, or that late
 */
export function unregister(ua, limit) {
    return new Promise((resolve) => {
        const timer = setTimeout(resolve, limit);

        ua.once('unregistered', () => {
            clearTimeout(timer);
            resolve();
        });
        ua.unregister();
    });
}


/**
 * Sends a text (SIP MESSAGE).
 *
 * @param {JsSIP.UA} ua
 * @param {string} uri
 * @param {string} text
 * @returns {Promise<void>} when the far side, or its server, took it
 * @throws {PortalError}
 */
export function sendText(ua, uri, text) {
    return new Promise((resolve, reject) => {
        ua.sendMessage(uri, text, {
            contentType: 'text/plain;charset=UTF-8',
            eventHandlers: {
                succeeded: () => resolve(),
                failed: ({ response, cause }) => {
                    const code = response?.status_code ?? 0;

                    reject(new PortalError(causeOf(code, cause), code));
                },
            },
        });
    });
}


/** What a MESSAGE that came says, and who sent it. */
export function textOf(request, domain) {
    const asserted = request.getHeader('P-Asserted-Identity');
    const from = asserted ? firstValue(asserted) : request.getHeader('From');

    return {
        from: parseParty(from, domain),
        text: request.body ?? '',
        contentType: (request.getHeader('Content-Type') ?? 'text/plain')
                     .split(';')[0].trim().toLowerCase(),
    };
}
