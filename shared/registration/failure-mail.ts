/** The mail that tells staff about a file that could not be imported: ids, reason and place, no personal data. */
import { fateOf, type ErrorCode } from '../platform/errors.ts';
import type { Mail } from '../patient/consequences.ts';

/** The mail, in German. The communication service sends it once per record. */
export function failureMail(
  failure: {
    readonly recordId: string;
    readonly reason: ErrorCode;
    readonly archivePath: string;
    readonly violations: number;
  },
  settings: { readonly MAIL_SENDER_NAME: string },
): Mail {
  return {
    path: '/api/system-messages',
    idempotencyKey: failure.recordId,
    body: {
      subject: 'Eine Registrierungsdatei konnte nicht importiert werden',
      message: `Grund: ${failure.reason} (${fateOf(failure.reason).title})
Verletzte Regeln: ${failure.violations}
Import: ${failure.recordId}
Datei: ${failure.archivePath}
Einzelheiten: ${errorDocumentPath(failure.archivePath)}

Die Datei liegt unverändert im Bucket. Nach der Korrektur kann sie erneut unter incoming/ abgelegt werden.`,
      sender_name: settings.MAIL_SENDER_NAME,
    },
  };
}

/** The name of the object that lists the violations of a failed file. It stands beside the file. */
export function errorDocumentPath(archivePath: string): string {
  return archivePath.replace(/\.json$/, '.error.json');
}
