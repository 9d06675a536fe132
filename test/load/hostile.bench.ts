/** Time of each reader for 1 MiB of hostile input and for half of it: twice the input may take twice as long. */
import { fastest, hostileInputs } from '../support/hostile-inputs.ts';
import type { Bench, Row } from './rows.ts';

const MIB = 1024 * 1024;

export const bench: Bench = async () => {
  const rows: Row[] = [];
  for (const [name, input] of Object.entries(hostileInputs)) {
    const half = await fastest(input(MIB / 2));
    const value = await fastest(input(MIB));
    rows.push({
      name: `${name}: 1 MiB against half of it`,
      value,
      unit: 'ms',
      bare: half,
      goal: '≈ 2 of bare',
    });
  }
  return rows;
};
