/* Copyright (C) the IMS portal authors */

import { explain } from './causes.js';


/** An error with a short word: `code` is a SIP or HTTP status, or 0. */
export class PortalError extends Error {
    constructor(cause, code = 0, text = explain(cause)) {
        super(text);
        this.name = 'PortalError';
        this.reason = cause;
        this.code = code;
    }
}
