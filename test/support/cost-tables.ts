/**
 * The tables of docs/cost.md: the usage of each operation, which operations.test.ts compares with its counts, and the cost by
 * list prices. Both are between markers and are written together.
 */
import { readFile, writeFile } from 'node:fs/promises';

/** The usage of one operation, or of a deployable in an idle hour. */
export interface Figures {
  readonly reads: number;
  readonly writes: number;
  readonly deletes: number;
  readonly queries: number;
  readonly requests: number;
  readonly storageA: number;
  readonly storageB: number;
  readonly kafka: number;
  readonly logLines: number;
  readonly logBytes: number;
}

type Operations = Readonly<Record<string, Figures>>;

const PAGE = new URL('../../docs/cost.md', import.meta.url);
const COLUMNS = [
  ['reads', 'Reads'],
  ['writes', 'Writes'],
  ['deletes', 'Deletes'],
  ['queries', 'Queries'],
  ['requests', 'Round trips'],
  ['storageA', 'Storage, class A'],
  ['storageB', 'Storage, class B'],
  ['kafka', 'Kafka'],
  ['logLines', 'Log lines'],
  ['logBytes', 'Log bytes'],
] as const satisfies readonly (readonly [keyof Figures, string])[];

/** US dollars per unit, from memory in November 2026. The page says so and lists them per 100,000. */
const PRICES: Readonly<Partial<Record<keyof Figures, number>>> = {
  reads: 0.039 / 100_000,
  writes: 0.117 / 100_000,
  deletes: 0.013 / 100_000,
  storageA: 0.05 / 10_000,
  storageB: 0.004 / 10_000,
  logBytes: 0.5 / 2 ** 30,
};

/** The number of operations for one registration, from the file to the end of the search. */
const FOR_A_REGISTRATION: Readonly<Record<string, number>> = {
  import: 1,
  'relayed event, alone': 8,
  mail: 1,
  'PATCH a patient': 3,
  'consumed event, alone': 4,
  'GET a patient': 10,
  'list: a first page of 10': 2,
  'list: a further page of 10': 2,
  'search: a page of 10': 4,
};
const SCALES = [50, 5_000, 50_000];
const DAYS = 30;

/** @throws Error when the page has no such table */
export async function readTable(): Promise<Operations> {
  const rows = (block(await readFile(PAGE, 'utf8'), 'counted').match(/^\| .*\|$/gm) ?? []).slice(1);
  return Object.fromEntries(
    rows.map((row) => {
      const [name = '', ...cells] = row
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim());
      const numbers = cells.map((cell) => Number(cell.replaceAll(',', '')));
      return [name, Object.fromEntries(COLUMNS.map(([key], at) => [key, numbers[at]])) as unknown as Figures];
    }),
  );
}

export async function writeTables(counted: Operations): Promise<void> {
  const stated = Object.fromEntries(
    Object.entries(counted).map(([name, figures]) => [name, rounded(name, figures)]),
  );
  const page = await readFile(PAGE, 'utf8');
  const tables = { counted: countedTable(stated), priced: pricedTable(stated) };
  const updated = Object.entries(tables).reduce(
    (text, [name, table]) => text.replace(marked(name), `<!-- ${name} -->\n${table}\n<!-- /${name} -->`),
    page,
  );
  await writeFile(PAGE, updated);
}

function block(page: string, name: string): string {
  const found = marked(name).exec(page)?.[1];
  if (found === undefined) throw new Error(`docs/cost.md has no table between <!-- ${name} --> and its end`);
  return found;
}

function marked(name: string): RegExp {
  return new RegExp(`<!-- ${name} -->([^]*?)<!-- /${name} -->`);
}

/** Rounds up, because the timers of an idle worker within its half minute, and the digits of a log line, vary between runs. */
function rounded(name: string, figures: Figures): Figures {
  const isIdle = name.startsWith('idle');
  return Object.fromEntries(
    Object.entries(figures).map(([key, value]) => {
      if (isIdle)
        return [key, upTo(value * 1.2, value < 100 ? 1 : 10 ** (Math.floor(Math.log10(value)) - 1))];
      return [key, key === 'logBytes' ? upTo(value * 1.02, 10) : upTo(value, 1)];
    }),
  ) as unknown as Figures;
}

function upTo(value: number, step: number): number {
  return Math.max(0, Math.ceil(value / step - 1e-9)) * step;
}

function countedTable(operations: Operations): string {
  return [
    `| Operation | ${COLUMNS.map(([, title]) => title).join(' | ')} |`,
    `|---|${COLUMNS.map(() => '---:|').join('')}`,
    ...Object.entries(operations).map(
      ([name, figures]) =>
        `| ${name} | ${COLUMNS.map(([key]) => figures[key].toLocaleString('en')).join(' | ')} |`,
    ),
  ].join('\n');
}

function pricedTable(operations: Operations): string {
  const idle = Object.entries(operations).filter(([name]) => name.startsWith('idle'));
  const sum = (key: keyof Figures, registrations: number) =>
    DAYS *
    (Object.entries(FOR_A_REGISTRATION).reduce(
      (total, [name, times]) => total + registrations * times * (operations[name]?.[key] ?? 0),
      0,
    ) +
      24 * idle.reduce((total, [, figures]) => total + figures[key], 0));
  const dollars = (key: keyof Figures, registrations: number) => sum(key, registrations) * (PRICES[key] ?? 0);
  const shown = (amount: number) =>
    amount < 10 ? amount.toFixed(2) : Math.round(amount).toLocaleString('en');
  const priced = COLUMNS.filter(([key]) => key in PRICES);
  return [
    `| Registrations a day | ${priced.map(([, title]) => title).join(' | ')} | **Together** |`,
    `|---:|${priced.map(() => '---:|').join('')}---:|`,
    ...SCALES.map((registrations) => {
      const amounts = priced.map(([key]) => dollars(key, registrations));
      const together = amounts.reduce((total, one) => total + one, 0);
      return `| ${registrations.toLocaleString('en')} | ${amounts.map(shown).join(' | ')} | **${shown(together)}** |`;
    }),
  ].join('\n');
}
