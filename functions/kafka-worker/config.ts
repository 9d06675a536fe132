/** The variables that the worker reads from its environment. */
import { kafkaVariables } from '../../shared/kafka/settings.ts';

export const variableNames = [
  'GOOGLE_CLOUD_PROJECT',
  'ENVIRONMENT',
  'LOG_LEVEL',
  'PORT',
  'GCS_IMPORT_BUCKET',
  'STORAGE_EMULATOR_HOST',
  'COMMUNICATION_SERVICE_URL',
  ...kafkaVariables,
] as const;
