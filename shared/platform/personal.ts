/**
 * The mark of personal data. A schema that reads a name, an address or a symptom brands it, and no log
 * field, metric label or error detail accepts the brand: leaking it is a type error before it is an incident.
 */
declare const personal: unique symbol;

export interface PersonalBrand {
  readonly [personal]: true;
}

/** A value that identifies a person or speaks of their health. */
export type Personal<T> = T & PersonalBrand;

/** `T` where it carries no personal data, `never` where it does. */
export type Impersonal<T> = T extends PersonalBrand ? never : T;
