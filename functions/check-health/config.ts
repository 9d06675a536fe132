/** The environment variables of check-health: those of the import, because it imports missed files, and its limits. */
import { mailVariables } from '../../shared/registration/confirmation-mail.ts';

export const variableNames = [
  'GOOGLE_CLOUD_PROJECT',
  'ENVIRONMENT',
  'LOG_LEVEL',
  'GCS_IMPORT_BUCKET',
  'STORAGE_EMULATOR_HOST',
  'PATIENT_IMPORT_LOCAL_PATH',
  'REGISTRATION_HMAC_KEY',
  'PATIENT_IMPORT_CHECK_INTERVAL_SECONDS',
  'IMPORT_STUCK_AFTER_SECONDS',
  'IMPORT_STORAGE_QUOTA_BYTES',
  'RETENTION_UNPAID_DAYS',
  'RETENTION_CLOSED_DAYS',
  ...mailVariables,
] as const;
