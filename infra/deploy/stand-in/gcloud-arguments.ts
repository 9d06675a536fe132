/** Takes a gcloud command line apart: `gcloud run deploy api --image=x` → words and flags. */
export interface Command {
  /** Command and positional arguments, in order. */
  readonly words: readonly string[];
  readonly flags: Readonly<Record<string, string>>;
}

/** Flags are written `--name=value` throughout: a value in a word of its own could not be told from an argument. */
export function command(args: readonly string[]): Command {
  const flags: Record<string, string> = {};
  for (const arg of args) {
    const [, name, value] = /^--([a-z-]+)(?:=(.*))?$/s.exec(arg) ?? [];
    if (name !== undefined) flags[name] = value ?? '';
  }
  return { words: args.filter((arg) => !arg.startsWith('--')), flags };
}
