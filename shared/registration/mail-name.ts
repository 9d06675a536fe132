/**
 * A person's name as a mail may use it. The registration comes from a stranger and the mail goes to any address: what is
 * no name, such as a sentence about another bank account, or what a mail program would make a link of, stays out.
 */

const MAX_CHARACTERS = 60;

/**
 * Letters with their marks, in words that a blank, a hyphen or an apostrophe divides. A full stop only ends a word
 * (`St. John`): between letters, even in `J.R.`, it could make a domain, which mail programs turn into a link.
 */
const NAME = /^['’‘ʼ`´]?\p{L}(?:[\p{L}\p{M}]|['’‘ʼ`´‐‑-]|\.?(?: |$))*$/u;
/** Letters that show nothing, and marks that only control how others are shown. */
const INVISIBLE = /\p{Default_Ignorable_Code_Point}/u;

/** The name on one line, with apostrophes that are no Markdown; undefined where it does not look like a name. */
export function mailName(text: string): string | undefined {
  if (text.length > 2 * MAX_CHARACTERS) return undefined;
  const name = text
    .trim()
    .replaceAll(/\p{Zs}+/gu, ' ')
    .replaceAll(/[`´]/g, "'");
  const isName = NAME.test(name) && !INVISIBLE.test(name) && Array.from(name).length <= MAX_CHARACTERS;
  return isName ? name : undefined;
}
