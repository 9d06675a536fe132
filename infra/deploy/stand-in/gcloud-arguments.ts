/** Parses a gcloud command line, such as `gcloud run deploy api --image=x`, into words and flags. */
export interface Command {
  /** Command and positional arguments, in order. */
  readonly words: readonly string[];
  readonly flags: Readonly<Record<string, string>>;
}

/** All flags must be written `--name=value`. A value in a separate word would look like a positional argument. */
export function command(args: readonly string[]): Command {
  const flags: Record<string, string> = {};
  for (const arg of args) {
    const [, name, value] = /^--([a-z-]+)(?:=(.*))?$/s.exec(arg) ?? [];
    if (name !== undefined) flags[name] = value ?? '';
  }
  return { words: args.filter((arg) => !arg.startsWith('--')), flags };
}
