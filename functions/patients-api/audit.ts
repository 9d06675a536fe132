/** The audit trail: who changed what, as a log line of ids and field names. */
import type { PatientId } from '../../shared/patient/schema.ts';
import type { Call, Dependencies } from './route.ts';

export function audit(
  call: Call,
  { log }: Dependencies,
  patientId: PatientId,
  fields: readonly string[],
): void {
  const { subject, role } = call.get('caller');
  log.record('audit', {
    actor: subject,
    role,
    method: call.req.method,
    route: call.get('route'),
    patient_id: patientId,
    fields,
  });
}
