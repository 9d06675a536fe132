/**
 * The software bill of materials of each image (CycloneDX): npm's own for the lock file, reduced to the packages that
 * the image holds. Node itself and the base image are named by the Dockerfile's digests.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

interface Component {
  readonly 'bom-ref': string;
  readonly name: string;
  readonly version: string;
}

/** The members of CycloneDX 1.5 that are read here; the others are kept unchanged. */
export interface Sbom {
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

/** Every package of the lock file; with `--omit=dev`, npm leaves out what a development package needs as well. */
export async function sbomOfLockFile(root: URL): Promise<Sbom> {
  const { stdout } = await promisify(execFile)(
    'npm',
    ['sbom', '--sbom-format=cyclonedx', '--package-lock-only'],
    { cwd: root, maxBuffer: 64 * 1024 * 1024 },
  );
  return JSON.parse(stdout) as Sbom;
}

/**
 * @param held `name@version` of each package that was bundled
 * @throws Error when the lock file does not know a bundled package
 */
export function sbomOf(deployable: string, whole: Sbom, held: ReadonlySet<string>): Sbom {
  // npm marks a package as optional when a development package needs it too.
  const components = whole.components
    .filter((component) => held.has(component['bom-ref']))
    .map((component) => ({ ...component, scope: 'required' }));
  const unknown = [...held].filter((ref) => !components.some((component) => component['bom-ref'] === ref));
  if (unknown.length > 0) throw new Error(`the lock file does not know ${unknown.join(', ')}`);
  const root = whole.metadata.component;
  return {
    ...whole,
    metadata: { ...whole.metadata, component: { ...root, name: deployable } },
    components,
    dependencies: [
      { ref: root['bom-ref'], dependsOn: [...held] },
      ...whole.dependencies
        .filter(({ ref }) => held.has(ref))
        .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((one) => held.has(one)) })),
    ],
  };
}
