/** The environment variables of import-registration. */
import { mailVariables } from '../../shared/registration/confirmation-mail.ts';

export const variableNames = [
  'GOOGLE_CLOUD_PROJECT',
  'ENVIRONMENT',
  'LOG_LEVEL',
  'GCS_IMPORT_BUCKET',
  'STORAGE_EMULATOR_HOST',
  'REGISTRATION_HMAC_KEY',
  ...mailVariables,
] as const;
