/**
 * Decides whether a mail may use a person's name. Anyone can register with any address, so a text that is not a name
 * (such as a sentence about another bank account) or that a mail program would turn into a link is left out.
 */

const MAX_CHARACTERS = 60;

/**
 * Letters with their marks, in words separated by a space, a hyphen or an apostrophe. A full stop may only end a word
 * (`St. John`): between letters, even in `J.R.`, it could form a domain, which mail programs turn into a link.
 */
const NAME = /^['’‘ʼ`´]?\p{L}(?:[\p{L}\p{M}]|['’‘ʼ`´‐‑-]|\.?(?: |$))*$/u;
/**
 * Letters that look like a full stop, a colon or an exclamation mark (ꓸ, ː, ǃ): those of no script, of Lisu, the few
 * Latin ones without case, and single parts of Hangul syllables. No name in Latin letters has them.
 */
const LIKE_SIGNS =
  /[[\p{L}&&\p{scx=Common}]--[ʻʼʽʾʿ]]|\p{sc=Lisu}|\p{sc=Canadian_Aboriginal}|[\p{sc=Latin}&&\p{Lo}]|[\p{sc=Hangul}--[가-힣]]/v;
/** Letters that are invisible, and marks that only control how other characters are shown. */
const INVISIBLE = /\p{Default_Ignorable_Code_Point}/u;

/**
 * The name on one line, with plain apostrophes instead of characters that Markdown interprets.
 * @returns undefined when the text does not look like a name or has more than 60 characters
 */
export function mailName(text: string): string | undefined {
  if (text.length > 2 * MAX_CHARACTERS) return undefined;
  const name = text
    .trim()
    .replaceAll(/\p{Zs}+/gu, ' ')
    .replaceAll(/[`´]/g, "'");
  const isName =
    NAME.test(name) &&
    !INVISIBLE.test(name) &&
    !LIKE_SIGNS.test(name) &&
    Array.from(name).length <= MAX_CHARACTERS;
  return isName ? name : undefined;
}
