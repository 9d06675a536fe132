/** Reads the numbers of Kafka's record format, never beyond the end (https://kafka.apache.org/documentation/#record). */

/** Thrown when bytes are malformed or unpack to more than the limit. */
export class UnpackError extends Error {
  override readonly name = 'UnpackError';
  readonly kind: 'malformed' | 'too_large';

  constructor(kind: UnpackError['kind'], options?: ErrorOptions) {
    super(kind, options);
    this.kind = kind;
  }
}

/** Reads a buffer from its start. Every method throws an UnpackError `malformed` when the bytes end early. */
export class Bytes {
  private readonly buffer: Buffer;
  private at = 0;

  constructor(buffer: Buffer) {
    this.buffer = buffer;
  }

  get left(): number {
    return this.buffer.length - this.at;
  }

  take(length: number): Buffer {
    if (length < 0 || length > this.left) throw new UnpackError('malformed');
    this.at += length;
    return this.buffer.subarray(this.at - length, this.at);
  }

  byte(): number {
    const byte = this.buffer[this.at];
    if (byte === undefined) throw new UnpackError('malformed');
    this.at += 1;
    return byte;
  }

  /** A zigzag number of up to 32 bits. */
  varint(): number {
    return zigzag(this.unsigned(5));
  }

  /** A zigzag number of up to 64 bits; inexact beyond 2^53. */
  varlong(): number {
    return zigzag(this.unsigned(10));
  }

  /** A length and that many bytes; null for a length of -1. */
  bytes(): Buffer | null {
    const length = this.varint();
    return length === -1 ? null : this.take(length);
  }

  private unsigned(maxBytes: number): number {
    let value = 0;
    for (let index = 0; index < maxBytes; index += 1) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) return value;
    }
    throw new UnpackError('malformed');
  }
}

function zigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}
