import { readFile } from 'node:fs/promises';
import { Ajv } from 'ajv';
import { expect, it } from 'vitest';
import { onFreePorts, readSettings } from './settings.ts';

const json = async (path: string) =>
  JSON.parse(await readFile(new URL(`../../${path}`, import.meta.url), 'utf8')) as object;

it('keeps emulator.json a valid configuration of firebase-tools', async () => {
  const schema = await json('node_modules/firebase-tools/schema/firebase-config.json');
  const ajv = new Ajv({ strict: false, validateFormats: false });
  const valid = ajv.validate(schema, await json('emulator.json'));
  expect(ajv.errors).toBeNull();
  expect(valid).toBe(true);
});

it('gives each part its own port', async () => {
  const settings = await readSettings();
  for (const { ports } of [settings, await onFreePorts(settings)]) {
    const numbers = Object.values(ports);
    expect(new Set(numbers).size).toBe(numbers.length);
  }
});
