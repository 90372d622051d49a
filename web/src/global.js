/* Copyright (C) the IMS portal authors */

/* For pages without modules: `ImsPortal` becomes a global. */

import { Call, ImsPortal, PortalError, SessionError } from './ims-portal.js';

globalThis.ImsPortal = Object.assign(ImsPortal,
                                     { Call, PortalError, SessionError });
