/**
 * The compact form of a JSON text, which the signature of a registration file covers (docs/domain.md#signed-files): no
 * spaces, Unicode and slashes unescaped, everything else as written. It works on the text, because a parsed object loses
 * the order of integer-like keys and the spelling of numbers.
 */

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/**
 * Compacts the text.
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
