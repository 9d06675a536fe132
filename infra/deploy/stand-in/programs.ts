/**
 * Replaces programs on the PATH by stand-ins whose output a test decides. Each is a small shell script that sends its
 * arguments and its input to the test over loopback and prints the answer.
 */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Call {
  readonly program: string;
  readonly args: readonly string[];
  /** Standard input; read only when an argument is `-`. */
  readonly stdin: string;
}

export interface Answer {
  readonly code?: number;
  readonly stdout?: string;
  readonly stderr?: string;
}

export interface Programs extends AsyncDisposable {
  /** A PATH on which the stand-ins come before the machine's programs. */
  readonly path: string;
  /** An empty folder for the test's own files. */
  readonly folder: string;
}

const endOfArguments = '\u0001';
const endOfCall = '\u0002';

const shim = (port: number) => `#!/usr/bin/env bash
exec 3<>/dev/tcp/127.0.0.1/${port} || exit 126
input=
case " $* " in *" - "* | *"=- "*) IFS= read -r -d '' input || true ;; esac
printf '%s\\0' "\${0##*/}" "$@" ${endOfArguments} "$input" ${endOfCall} >&3
IFS= read -r -d '' code <&3 || exit 137
IFS= read -r -d '' out <&3
IFS= read -r -d '' err <&3
printf '%s' "$out"
printf '%s' "$err" >&2
exit "$code"
`;

export async function standIns(
  names: readonly string[],
  answer: (call: Call) => Answer | Promise<Answer>,
): Promise<Programs> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let received = '';
    socket
      .on('error', () => socket.destroy())
      .on('close', () => sockets.delete(socket))
      .on('data', (chunk) => {
        received += chunk.toString();
        if (received.endsWith(`${endOfCall}\0`)) void reply(socket, received, answer);
      });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const folder = await mkdtemp(join(tmpdir(), 'patient-service-stand-in-'));
  for (const name of names) {
    await writeFile(join(folder, name), shim((server.address() as AddressInfo).port));
    await chmod(join(folder, name), 0o755);
  }
  return {
    path: `${folder}:${process.env['PATH']}`,
    folder,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true });
    },
  };
}

async function reply(
  socket: Socket,
  received: string,
  answer: (call: Call) => Answer | Promise<Answer>,
): Promise<void> {
  const fields = received.split('\0');
  const end = fields.indexOf(endOfArguments);
  const [program = '', ...args] = fields.slice(0, end);
  const call = { program, args, stdin: fields[end + 1] ?? '' };
  const {
    code = 0,
    stdout = '',
    stderr = '',
  } = await (async () => answer(call))().catch((error: unknown): Answer => ({
    code: 70,
    stderr: `stand-in: ${String(error)}\n`,
  }));
  socket.end(`${code}\0${stdout}\0${stderr}\0`);
}
