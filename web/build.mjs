/* Copyright (C) the IMS portal authors */

/*
 * Makes dist/:
 *   ims-portal.js       the library, an ES module
 *   ims-portal.iife.js  the same for a plain script: global ImsPortal
 *   ims-phone.js        the element <ims-phone>, for either kind of script
 *   LICENSES.txt        of what is bundled
 */

import { build } from 'esbuild';
import { readFile, rm, writeFile } from 'node:fs/promises';

const common = {
    bundle: true, minify: true, sourcemap: 'linked', target: 'es2022',
    platform: 'browser', legalComments: 'none', logLevel: 'warning',
};

await rm('dist', { recursive: true, force: true });

await Promise.all([
    build({ ...common, entryPoints: ['src/ims-portal.js'], format: 'esm',
            outfile: 'dist/ims-portal.js' }),
    build({ ...common, entryPoints: ['src/global.js'], format: 'iife',
            outfile: 'dist/ims-portal.iife.js' }),
    build({ ...common, entryPoints: ['src/ims-phone.js'], format: 'iife',
            outfile: 'dist/ims-phone.js' }),
]);

const bundled = {
    'jssip': 'LICENSE.md', 'sdp-transform': 'LICENSE', 'events': 'LICENSE',
    'debug': 'LICENSE', 'ms': 'license.md',
};
const texts = await Promise.all(Object.entries(bundled).map(
    async ([name, file]) => `${name}\n\n`
        + await readFile(`node_modules/${name}/${file}`, 'utf8')));

await writeFile('dist/LICENSES.txt', texts.join('\n----\n\n'));
