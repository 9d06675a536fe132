import { fc } from '../../test/support/properties.ts';
import { describe, expect, it } from 'vitest';
import { compactJson } from './compact-json.ts';

describe('the compact form of a signed file', () => {
  it('drops white space only outside of strings', () => {
    expect(compactJson('{ "a" : [ 1 , "x  y" ],\n "b": { } }', [])).toBe('{"a":[1,"x  y"],"b":{}}');
  });

  it('leaves out members of the top level only', () => {
    const text = '{"signature":"s","data":{"signature":"kept"},"signature_version":"v"}';
    expect(compactJson(text, ['signature', 'signature_version'])).toBe('{"data":{"signature":"kept"}}');
  });

  it('keeps the order of integer-like keys, which an object would not', () => {
    expect(compactJson('{"10":1,"2":1}', [])).toBe('{"10":1,"2":1}');
  });

  it('keeps how a number was spelled', () => {
    expect(compactJson('{"a":1.0,"b":1e3}', [])).toBe('{"a":1.0,"b":1e3}');
  });

  it('unescapes Unicode and slashes', () => {
    expect(compactJson(String.raw`{"\u00fc":"a\/b \u00e4"}`, [])).toBe('{"ü":"a/b ä"}');
  });

  it('is what JSON.stringify writes, however the text was indented', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.integer({ min: 0, max: 4 }),
        (value, indent) => {
          // One round trip first, because it changes -0 and the order of integer-like keys.
          const content: unknown = JSON.parse(JSON.stringify(value));
          expect(compactJson(JSON.stringify(content, undefined, indent), [])).toBe(JSON.stringify(content));
        },
      ),
    );
  });
});
