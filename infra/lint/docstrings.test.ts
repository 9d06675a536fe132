import { RuleTester } from 'oxlint/plugins-dev';
import { describe, it } from 'vitest';
import { required } from './docstrings.ts';

RuleTester.describe = describe;
RuleTester.it = it;

new RuleTester({ languageOptions: { parserOptions: { lang: 'ts' } } }).run('docs/required', required, {
  valid: [
    '/** Says it. */\nexport const a = 1;',
    '/**\n * Says it.\n * @throws RangeError\n */\nexport async function a(): Promise<void> {}',
    'const a = 1;\nexport { a };',
    "export * from './a.ts';",
  ],
  invalid: [
    'export const a = 1;',
    'export interface A {}',
    'export class A {}',
    '// Says nothing to a reader of the name.\nexport type A = string;',
    '/* Neither. */\nexport const a = 1;',
    '/** About the file. */\n\nexport const a = 1;',
  ].map((code) => ({ code, errors: 1 })),
});
