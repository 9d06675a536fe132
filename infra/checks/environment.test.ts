import { readdir, readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { kafkaVariables } from '../../shared/kafka/settings.ts';
import { deployables } from '../bundle.ts';
import { variables } from '../../shared/platform/variables.ts';
import { keptDaysVariables } from '../../shared/store/patient-export.ts';
import { environmentFindings, variablesSet } from './environment.ts';
import { parseSources, readSources } from './hcl.ts';
import { withMistake } from './mutation.ts';

const sources = await readSources();
const configuration = await parseSources(sources);
const set = variablesSet(configuration);

async function variablesRead(deployable: string): Promise<readonly string[]> {
  if (deployable === 'ops') return variablesReadByOps();
  const config = (await import(`../../functions/${deployable}/config.ts`)) as {
    variableNames: readonly string[];
  };
  return config.variableNames;
}

/** Each operators' command reads only the variables it needs, so the names are found in the text of its modules. */
async function variablesReadByOps(): Promise<readonly string[]> {
  const folder = new URL('../../functions/ops/', import.meta.url);
  const files = (await readdir(folder)).filter((file) => /(?<!\.test)\.ts$/.test(file));
  const text = (await Promise.all(files.map((file) => readFile(new URL(file, folder), 'utf8')))).join('\n');
  return [
    ...kafkaVariables,
    ...keptDaysVariables,
    ...Object.keys(variables).filter((name) => text.includes(`'${name}'`)),
  ];
}

describe('the environment of the deployables', () => {
  it('is defined for each of them', () => {
    expect(Object.keys(set).sort()).toEqual(Object.keys(deployables).sort());
  });

  it.each(Object.keys(deployables))(
    '%s: every variable read is set, and every one set is read',
    async (deployable) => {
      expect(environmentFindings(deployable, await variablesRead(deployable), set[deployable] ?? [])).toEqual(
        [],
      );
    },
  );

  it('names only variables that have a rule', () => {
    expect(
      Object.values(set)
        .flat()
        .filter((name) => !(name in variables)),
    ).toEqual([]);
  });

  it.each(keptDaysVariables)('has %s equal to what Terraform configures, also by default', (name) => {
    const configured = name.toLowerCase();
    expect(configuration.locals['variables_of_kept_days']).toMatchObject({ [name]: `\${var.${configured}}` });
    expect(variables[name].parse(undefined)).toBe(configuration.variables[configured]?.['default']);
  });

  it('turns red for a variable that is read but not set', async () => {
    const mistaken = variablesSet(
      await withMistake(sources, 'environment.tf', '    PAYMENT_BIC            = var.payment.bic\n', ''),
    );
    const read = await variablesRead('import-registration');
    expect(environmentFindings('import-registration', read, mistaken['import-registration'] ?? [])).toEqual([
      'import-registration: PAYMENT_BIC is read but never set',
    ]);
  });

  it('turns red for a variable that is set but not read', async () => {
    const mistaken = variablesSet(
      await withMistake(
        sources,
        'environment.tf',
        '    PAYMENT_BIC            =',
        '    PAYMENT_SWIFT = "x"\n    PAYMENT_BIC =',
      ),
    );
    const read = await variablesRead('import-registration');
    expect(environmentFindings('import-registration', read, mistaken['import-registration'] ?? [])).toEqual([
      'import-registration: PAYMENT_SWIFT is set but never read',
    ]);
  });

  it('turns red for an emulator in production', () => {
    expect(environmentFindings('x', ['STORAGE_EMULATOR_HOST'], ['STORAGE_EMULATOR_HOST'])).toEqual([
      'x: STORAGE_EMULATOR_HOST must not be set in production',
    ]);
  });
});
