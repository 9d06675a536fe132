/** GET /api/patients/{id}/export: streams everything stored about the person as one document. */
import { errorFields, type Log } from '../../../shared/platform/log.ts';
import { exportPatient } from '../../../shared/store/patient-export.ts';
import { readPatientId } from '../parameters.ts';
import type { Route } from '../route.ts';

export const exportPatientRoute: Route = {
  method: 'GET',
  path: '/api/patients/{id}/export',
  role: 'admin',
  summary: 'Export everything that is stored about a patient',
  answers: {
    200: {
      description: 'One document, streamed; the connection is cut if it cannot be completed',
      schema: 'PatientExport',
    },
  },
  problems: ['patient.not_found'],
  async handle(call, { db, clock, log, keptDays }) {
    const pieces = await exportPatient(db, readPatientId(call), clock(), keptDays);
    // Start no stream for HEAD, because nobody would end it.
    const body = call.req.method === 'HEAD' ? null : bytesOf(pieces, log);
    const headers = { 'content-type': 'application/json', 'content-disposition': 'attachment' };
    return new Response(body, { headers });
  },
};

/** Reads each piece after the previous one was sent. On an error it cuts the connection, so no export looks complete. */
function bytesOf(pieces: AsyncGenerator<string, void>, log: Log): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await pieces.next();
          if (done === true) controller.close();
          else controller.enqueue(encoder.encode(value));
        } catch (error) {
          log.error('Export cut off', errorFields(error));
          // The server prints this error, so it must not contain the cause.
          controller.error(new Error('The export was cut off'));
        }
      },
      cancel: async () => void (await pieces.return()),
    },
    { highWaterMark: 0 },
  );
}
