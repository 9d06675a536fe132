/** Invented values of the variables that have no default, for every start outside production. */
export const invented = {
  ENVIRONMENT: 'local',
  PAYMENT_ACCOUNT_HOLDER: 'Therapieplatzsuche Beispiel gGmbH',
  PAYMENT_IBAN: 'DE89370400440532013000',
  PAYMENT_BIC: 'COBADEFFXXX',
  MAIL_SENDER_ADDRESS: 'platzsuche@example.org',
  MAIL_SENDER_NAME: 'Therapieplatzsuche Beispiel',
  CONTRACT_URL: 'https://example.org/vertrag',
  CONTACT_ADDRESS: 'hilfe@example.org',
} as const;
