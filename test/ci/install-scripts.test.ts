/** `npm ci` runs a package's install script only where package.json says so. */
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';

const read = async (name: string) =>
  JSON.parse(await readFile(new URL(`../../${name}`, import.meta.url), 'utf8')) as Record<string, unknown>;

it('decides for each package with an install script whether it runs', async () => {
  const { packages } = (await read('package-lock.json')) as {
    packages: Record<string, { hasInstallScript?: boolean; optional?: boolean }>;
  };
  const scripted = Object.entries(packages)
    .filter(([path, { hasInstallScript }]) => path !== '' && hasInstallScript === true)
    .map(([path]) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length));
  const { allowScripts } = (await read('package.json')) as { allowScripts: Record<string, boolean> };
  expect(scripted.length).toBeGreaterThan(2);
  expect(scripted.filter((name) => !(name in allowScripts))).toEqual([]);
});

it('sends no telemetry: swagger-ui-dist and others bring a package that reports each installation', async () => {
  const { allowScripts, scarfSettings } = await read('package.json');
  expect(allowScripts).toMatchObject({ '@scarf/scarf': false });
  // For an npm that does not know allowScripts.
  expect(scarfSettings).toEqual({ enabled: false });
});
