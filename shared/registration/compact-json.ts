/**
 * The compact form of a JSON text over which a registration file is signed (docs/domain.md#signed-files): no spaces,
 * Unicode and slashes unescaped, everything else as it was written. It works on the text, because a parsed object
 * would forget the order of integer-like keys and how a number was spelled.
 */

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/**
 * @param text valid JSON whose top level is an object
 * @param without members of the top level to leave out
 */
export function compactJson(text: string, without: readonly string[]): string {
  const members = topLevelMembers(text.match(TOKEN) ?? []);
  const kept = members.filter((member) => !without.includes(JSON.parse(member[0] ?? '""') as string));
  return `{${kept.map((member) => member.map(unescaped).join('')).join(',')}}`;
}

/** The tokens of each `"key": value` of the outermost object. */
function topLevelMembers(tokens: readonly string[]): string[][] {
  const members: string[][] = [];
  let depth = 0;
  for (const token of tokens) {
    if (token === '}' || token === ']') depth -= 1;
    const separates = depth === 1 && token === ',';
    if (depth > 0 && !separates) (members.at(-1) ?? addTo(members)).push(token);
    if (separates) addTo(members);
    if (token === '{' || token === '[') depth += 1;
  }
  return members;
}

function addTo(members: string[][]): string[] {
  const member: string[] = [];
  members.push(member);
  return member;
}

function unescaped(token: string): string {
  return token.startsWith('"') ? JSON.stringify(JSON.parse(token)) : token;
}
