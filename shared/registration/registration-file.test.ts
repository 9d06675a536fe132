import { Temporal } from 'temporal-polyfill';
import { describe, expect, it } from 'vitest';
import { aRegistration, AUTUMN, signedRegistration } from '../../test/support/builders.ts';
import type { ErrorCode } from '../platform/errors.ts';
import { hashToken } from '../store/registration-tokens.ts';
import { readRegistrationFile } from './registration-file.ts';
import type { SignatureRules } from './signature.ts';

const unsigned: SignatureRules = { key: undefined, environment: 'test' };

function read(content: unknown, rules = unsigned, uploadedAt = AUTUMN) {
  const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
  return readRegistrationFile(bytes, rules, uploadedAt, AUTUMN);
}

function accepted(content: unknown, rules?: SignatureRules, uploadedAt?: Temporal.Instant) {
  const file = read(content, rules, uploadedAt);
  if ('error' in file)
    throw new Error(`refused: ${JSON.stringify(file.error.violations)}`, { cause: file.error });
  return file;
}

function refusal(content: unknown, rules?: SignatureRules, uploadedAt?: Temporal.Instant) {
  const file = read(content, rules, uploadedAt);
  if (!('error' in file)) throw new Error('the file was accepted');
  return file;
}

describe('a registration file', () => {
  it('gives signed contracts, an open payment and the reference from its token', () => {
    const { patient, tokenHash } = accepted(aRegistration({}, { registration_token: '9c1f04ab7e2d' }));
    expect(patient).toMatchObject({
      nachname: 'Beispiel',
      telefon: '+49221000000',
      vertraege_unterschrieben: true,
      zahlung_eingegangen: false,
      zahlungsreferenz: '9c1f04ab',
    });
    expect(tokenHash).toBe(hashToken('9c1f04ab7e2d'));
  });

  it('may contain the legacy keys, which are ignored', () => {
    expect(accepted(aRegistration({ hat_ptv11: true, diagnose: 'F32' })).patient).not.toHaveProperty(
      'diagnose',
    );
  });

  it.each<[string, Buffer, ErrorCode, string]>([
    ['empty', Buffer.alloc(0), 'import.malformed_json', 'is empty'],
    ['not JSON', Buffer.from('vorname: Lena'), 'import.malformed_json', 'is not complete, valid JSON'],
    ['cut off', Buffer.from('{"patient_data": {'), 'import.malformed_json', 'is not complete, valid JSON'],
    ['in UTF-16', Buffer.from('{"a": 1}', 'utf16le'), 'import.malformed_json', 'is not complete, valid JSON'],
    ['with a BOM', Buffer.from('\ufeff{}'), 'import.malformed_json', 'begins with a byte order mark'],
    ['of invalid UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'import.malformed_json', 'is not encoded in UTF-8'],
  ])('%s is refused with its reason', (_, bytes, code, detail) => {
    const { error } = refusal(bytes);
    expect(error.code).toBe(code);
    expect(error.violations).toEqual([{ pointer: '', detail }]);
  });

  it('of more than 1 MiB is refused', () => {
    expect(refusal(Buffer.alloc(1024 * 1024 + 1, 0x20)).error.code).toBe('import.too_large');
  });

  it('that is an array is refused', () => {
    expect(refusal([aRegistration()]).error.code).toBe('import.invalid');
  });

  it('without a token has the reason token_missing', () => {
    const { error } = refusal(aRegistration({}, { registration_token: undefined }));
    expect(error.code).toBe('import.token_missing');
    expect(error.violations).toEqual([{ pointer: '/registration_token', detail: 'is required' }]);
  });

  it('that is refused still identifies the person', () => {
    const file = aRegistration({ plz: '1' });
    expect(refusal(file).tokenHash).toBe(hashToken(file.registration_token));
  });

  it.each([
    ['status', 'offen'],
    ['zahlung_eingegangen', true],
    ['zahlungsreferenz', 'abc'],
    ['id', 7],
    ['startdatum', '2026-01-01'],
    ['notizen', 'x'],
    ['__proto__', { admin: true }],
  ])('must not set %s', (key, value) => {
    const file = aRegistration();
    Object.defineProperty(file.patient_data, key, { value, enumerable: true });
    expect(refusal(file).error.violations.map(({ pointer }) => pointer)).toEqual([`/patient_data/${key}`]);
  });

  it.each([true, false])('with vertraege_unterschrieben %s counts as signed', (value) => {
    expect(accepted(aRegistration({ vertraege_unterschrieben: value })).patient).toMatchObject({
      vertraege_unterschrieben: true,
      zahlung_eingegangen: false,
    });
  });

  it('requires symptoms', () => {
    expect(refusal(aRegistration({ symptome: null })).error.violations).toMatchObject([
      { pointer: '/patient_data/symptome' },
    ]);
  });

  it('reports ten broken rules at once, each with its pointer and no value', () => {
    const { error } = refusal(
      aRegistration({
        anrede: 'Dr.',
        geschlecht: 'W',
        vorname: ' ',
        nachname: null,
        plz: '5066',
        email: 'lena.example.org',
        geburtsdatum: '2991-04-02',
        symptome: [],
        raeumliche_verfuegbarkeit: { max_km: 0 },
        offen_fuer_gruppentherapie: 'false',
      }),
    );
    expect(error.violations.map(({ pointer }) => pointer.replace('/patient_data/', '')).sort()).toEqual([
      'anrede',
      'email',
      'geburtsdatum',
      'geschlecht',
      'nachname',
      'offen_fuer_gruppentherapie',
      'plz',
      'raeumliche_verfuegbarkeit/max_km',
      'symptome',
      'vorname',
    ]);
    expect(JSON.stringify(error.violations)).not.toMatch(/5066|lena|2991/);
  });

  it('may have a consent block of at most 100 levels', () => {
    const levels = (count: number) => JSON.parse(`{"a":${'['.repeat(count - 1)}${']'.repeat(count - 1)}}`);
    expect(read(aRegistration({}, { consent_metadata: levels(100) }))).not.toHaveProperty('error');
    for (const consent_metadata of [levels(101), levels(3_000)]) {
      const { violations } = refusal(aRegistration({}, { consent_metadata })).error;
      expect(violations).toMatchObject([{ pointer: '/consent_metadata' }]);
    }
  });

  it('may have a consent block of at most 16 KiB', () => {
    const file = aRegistration({}, { consent_metadata: { user_agent: 'x'.repeat(17_000) } });
    expect(refusal(file).error.violations).toMatchObject([{ pointer: '/consent_metadata' }]);
  });
});

describe('a signed registration file', () => {
  const key = 'an invented key';
  const rules: SignatureRules = { key, environment: 'test' };

  const signed = (parts: Record<string, unknown> = {}) => signedRegistration(key, parts);

  it('is accepted with the registration in data or data.data', () => {
    expect(accepted(signed(), rules).patient.nachname).toBe('Beispiel');
    expect(accepted(signed({ data: { data: aRegistration() } }), rules).patient.nachname).toBe('Beispiel');
  });

  it('is accepted however it is indented', () => {
    expect(accepted(Buffer.from(JSON.stringify(signed(), undefined, 4)), rules).patient.vorname).toBe('Lena');
  });

  it('is judged by its upload, so that an outage of the service does not make it expire', () => {
    const uploadedAt = Temporal.Instant.from('2026-11-01T12:00:00Z');
    expect(accepted(signed({ timestamp: '2026-11-01T11:00:00' }), rules, uploadedAt).patient.vorname).toBe(
      'Lena',
    );
  });

  it('reports violations with pointers into data', () => {
    const { error } = refusal(signed({ data: { data: aRegistration({ plz: 'x' }) } }), rules);
    expect(error.violations).toMatchObject([{ pointer: '/data/data/patient_data/plz' }]);
  });

  it.each<[string, unknown, ErrorCode]>([
    ['changed by one letter', { ...signed(), type: 'registratiom' }, 'import.signature_invalid'],
    ['with an added key', { ...signed(), extra: 1 }, 'import.signature_invalid'],
    ['signed for another environment', signed({ environment: 'prod' }), 'import.environment_mismatch'],
    [
      'signed more than 24 h before the upload',
      signed({ timestamp: '2026-11-01T08:00:00Z' }),
      'import.signature_expired',
    ],
    [
      'signed more than 24 h after the upload',
      signed({ timestamp: '2026-11-03T10:00:00Z' }),
      'import.signature_expired',
    ],
    ['of another version', { ...signed(), signature_version: 'v0' }, 'import.invalid'],
    ['in upper case', { ...signed(), signature: 'A'.repeat(64) }, 'import.invalid'],
    ['unsigned', aRegistration(), 'import.unsigned'],
  ])('%s is refused', (_, file, code) => {
    expect(refusal(file, rules).error.code).toBe(code);
  });

  it('is refused while no key is set', () => {
    expect(refusal(signed()).error.code).toBe('import.signature_unexpected');
  });
});
