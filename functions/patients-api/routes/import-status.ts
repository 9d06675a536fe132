/** GET /api/patients/import-status: results of the imports, from their records, without personal data. */
import { countImports, readLastImports } from '../../../shared/store/import-statistics.ts';
import type { Route } from '../route.ts';

export const importStatusRoute: Route = {
  method: 'GET',
  path: '/api/patients/import-status',
  role: 'reader',
  isImpersonal: true,
  summary: 'Read the results of the imports of registration files',
  answers: { 200: { description: 'Counters and the last imports', schema: 'ImportStatus' } },
  problems: [],
  async handle(call, { db, clock }) {
    const [total, last_24_hours, last_imports] = await Promise.all([
      countImports(db),
      countImports(db, clock().subtract({ hours: 24 })),
      readLastImports(db, 20),
    ]);
    return call.json({ total, last_24_hours, last_imports });
  },
};
