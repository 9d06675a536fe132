/** The environment variables of patients-api. */
import { authVariables } from '../../shared/platform/auth.ts';
import { keptDaysVariables } from '../../shared/store/patient-export.ts';

export const variableNames = [
  'GOOGLE_CLOUD_PROJECT',
  'ENVIRONMENT',
  'LOG_LEVEL',
  'GCS_IMPORT_BUCKET',
  'STORAGE_EMULATOR_HOST',
  'CORS_ORIGINS',
  'LOCAL_PAGE_URL',
  ...keptDaysVariables,
  ...authVariables,
] as const;
