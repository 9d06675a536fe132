/** Installs tools and packages from PyPI for tests, in virtual environments below .local/. */
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const LOCAL = join(import.meta.dirname, '../../.local');

/**
 * Creates a virtual environment with pinned packages, once.
 * @param pins such as `schemathesis==4.32.5`; the first one names the environment
 * @returns its folder of programs, or the reason why there is none
 */
export function pythonWith(pins: readonly string[]): { readonly bin: string } | { readonly missing: string } {
  const venv = join(LOCAL, (pins[0] ?? 'python').replace('==', '-'));
  const bin = join(venv, 'bin');
  // Written last, so that an interrupted installation starts again.
  const complete = join(venv, 'installed');
  if (existsSync(complete)) return { bin };
  const made = spawnSync('python3', ['-m', 'venv', venv]);
  if (made.status !== 0) return { missing: 'Python 3 with venv is not installed' };
  const installed = spawnSync(join(bin, 'pip'), ['install', '--quiet', ...pins], { stdio: 'inherit' });
  if (installed.status !== 0) return { missing: `pip cannot install ${pins.join(' ')}` };
  writeFileSync(complete, '');
  return { bin };
}
