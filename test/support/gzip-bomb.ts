/** Uploads 600 MB of spaces as half a megabyte of gzip and imports it. Prints the outcome and the peak memory. */
import { gzipSync } from 'node:zlib';
import { importObject } from '../../shared/registration/import-object.ts';
import { documents, importWorld } from './import-world.ts';

const { deps, db, drop } = await importWorld();
// 30 members in a row are one gzip file and take a thirtieth of the time to make.
const member = gzipSync(Buffer.alloc(20_000_000, 0x20), { level: 9 });
const bomb = Buffer.concat(Array.from({ length: 30 }, () => member));
const outcome = await importObject(deps, await drop(bomb, undefined, 'gzip'));
const [record] = await documents(db, 'imports');
// maxRSS is in KiB: https://nodejs.org/api/process.html#processresourceusage
const peakMiB = Math.round(process.resourceUsage().maxRSS / 1024);
process.stdout.write(JSON.stringify({ outcome, reason: record?.['reason'], bytes: bomb.length, peakMiB }));
process.exit(0);
