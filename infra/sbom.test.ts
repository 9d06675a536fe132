import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { sbomOf, sbomOfLockFile, type Sbom } from './sbom.ts';

let whole: Sbom;
beforeAll(async () => {
  whole = await sbomOfLockFile(new URL('../', import.meta.url));
});

const namesIn = ({ components }: Sbom) => components.map(({ name }) => name);
const refOf = (name: string) => whole.components.find((one) => one.name === name)!['bom-ref'];

describe('the SBOM of an image', () => {
  it('starts from a lock file that lists every dependency', async () => {
    const text = await readFile(new URL('../package.json', import.meta.url), 'utf8');
    const { dependencies } = JSON.parse(text) as { dependencies: Record<string, string> };
    expect(namesIn(whole)).toEqual(expect.arrayContaining(Object.keys(dependencies)));
  });

  it('holds the bundled packages and no others', () => {
    const sbom = sbomOf('kafka-worker', whole, new Set([refOf('kafkajs'), refOf('zod')]));
    expect(namesIn(sbom).sort()).toEqual(['kafkajs', 'zod']);
    expect(sbom.metadata.component.name).toBe('kafka-worker');
    expect(sbom).toMatchObject({ bomFormat: 'CycloneDX' });
  });

  it('keeps no edge to a package that it does not hold', () => {
    const sbom = sbomOf('patients-api', whole, new Set([refOf('hono'), refOf('express')]));
    const held = new Set(sbom.components.map((one) => one['bom-ref']));
    for (const { dependsOn } of sbom.dependencies) for (const ref of dependsOn) expect(held).toContain(ref);
  });

  it('fails for a package that the lock file does not list', () => {
    expect(() => sbomOf('kafka-worker', whole, new Set(['left-pad@1.3.0']))).toThrow('left-pad@1.3.0');
  });
});
