/**
 * A type brand for personal data. The schemas brand names, addresses and symptoms. Log fields, metric labels and error
 * details do not accept the brand, so the compiler finds a leak.
 */
declare const personal: unique symbol;

/** The brand itself. It exists in types only. */
export interface PersonalBrand {
  readonly [personal]: true;
}

/** A value that identifies a person or says something about their health. */
export type Personal<T> = T & PersonalBrand;

/** `T` if it is not personal data, otherwise `never`. */
export type Impersonal<T> = T extends PersonalBrand ? never : T;
