/** E-mail addresses and phone numbers, kept as written unless their standard form is certain. */
import { domainToASCII } from 'node:url';
import { parsePhoneNumberFromString } from 'libphonenumber-js/min';
import { text } from './text.ts';

/** Letters and signs that mail addresses use in practice; others would need SMTPUTF8 on every server. */
const LOCAL_PART = /^(?=.{1,64}$)[A-Za-z0-9_'+-]+(?:\.[A-Za-z0-9_'+-]+)*$/;

/** A DNS name (RFC 1123, RFC 5891) converted to ASCII: at least two labels, the last one not a number. */
const DNS_NAME = /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?=[a-z])[a-z0-9-]{2,63}(?<!-)$/;

/** An address whose domain may be international (`info@müller.de`); kept as written. */
export const emailAddress = text(255)
  .refine(isEmailAddress, { error: 'must be an e-mail address', abort: true })
  .meta({
    maxLength: 255,
    format: 'idn-email',
    pattern: String.raw`^[A-Za-z0-9_'+-]+(?:\.[A-Za-z0-9_'+-]+)*@[^\s@]+\.[^\s@]{2,}$`,
  });

function isEmailAddress(value: string): boolean {
  const at = value.lastIndexOf('@');
  const domain = value.slice(at + 1);
  // domainToASCII parses its input as part of a URL, so pass it only letters, digits, dots and hyphens.
  return (
    LOCAL_PART.test(value.slice(0, Math.max(at, 0))) &&
    /^[\p{L}\p{M}\p{Nd}.-]+$/u.test(domain) &&
    DNS_NAME.test(domainToASCII(domain))
  );
}

/** The address with its domain in ASCII (RFC 5891), which every mail system accepts. */
export function asciiAddress(address: string): string {
  const at = address.lastIndexOf('@') + 1;
  return address.slice(0, at) + (domainToASCII(address.slice(at)) || address.slice(at));
}

/**
 * One number that can be dialled as written: with a country code or the national prefix; brackets or a slash may only set
 * off the area code. Two numbers, a number with an extension, and words do not match.
 */
const DIALLED =
  /^(?=\(?[+0])(?:\(?(?:\+|00)\d{1,3}\)?[\s.-]*)?(?:\(0\)[\s.-]*)?(?:\(\d{2,6}\)|\d{2,6}\s*\/)?[\d\s.-]+$/;

/** Hyphens and dashes as people type them. */
const DASHES = /[\u2010-\u2015\u2212]/g;

/** A phone number as E.164 where the whole text is one valid number dialled from Germany, else as it was written. */
export const phoneNumber = text(50)
  .refine((value) => (value.match(/\d/g) ?? []).length >= 3, 'must be a phone number')
  .overwrite((value) => dialled(value.replaceAll(DASHES, '-')) ?? value)
  .meta({ maxLength: 50 });

function dialled(value: string): string | undefined {
  if (!DIALLED.test(value)) return undefined;
  const number = parsePhoneNumberFromString(value, { defaultCountry: 'DE', extract: false });
  return number?.isValid() === true && number.ext === undefined ? number.number : undefined;
}
