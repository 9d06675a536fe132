/** GET /api/patients/{id}/export: everything stored about the person, in one document that is sent as it is made. */
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
      description: 'One document, in pieces; cut off if it cannot be completed',
      schema: 'PatientExport',
    },
  },
  problems: ['patient.not_found'],
  async handle(call, { db, clock, log, keptDays }) {
    const pieces = await exportPatient(db, readPatientId(call), clock(), keptDays);
    // HEAD asks for no piece: nobody would end the reading.
    const body = call.req.method === 'HEAD' ? null : bytesOf(pieces, log);
    const headers = { 'content-type': 'application/json', 'content-disposition': 'attachment' };
    return new Response(body, { headers });
  },
};

/** A piece is made when the last one is on its way. A failure cuts the connection: there is no false end. */
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
          log.error('An export was cut off', errorFields(error));
          // The server prints what it is given: nothing of the cause.
          controller.error(new Error('The export was cut off'));
        }
      },
      cancel: async () => void (await pieces.return()),
    },
    { highWaterMark: 0 },
  );
}
