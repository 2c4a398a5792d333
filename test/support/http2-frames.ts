/** What a connection over HTTP/2 begins with: the preface, and empty settings. */
export const http2Preface = Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), settings()]);

/** A HEADERS frame that opens a stream. Names and values under 127 bytes. */
export function headers(stream: number, fields: Readonly<Record<string, string>>, isLast = false): Buffer {
  const block = Object.entries(fields).flatMap(([name, value]) => [Buffer.from([0]), literal(name), literal(value)]);
  return frame(0x1, isLast ? 0x5 : 0x4, stream, Buffer.concat(block));
}

/** A DATA frame. */
export function data(stream: number, bytes: Uint8Array, isLast = false): Buffer {
  return frame(0x0, isLast ? 0x1 : 0x0, stream, bytes);
}

/** A RST_STREAM frame that cancels. */
export function cancel(stream: number): Buffer {
  return frame(0x3, 0, stream, Buffer.from([0, 0, 0, 8]));
}

function settings(): Buffer {
  return frame(0x4, 0, 0, Buffer.alloc(0));
}

function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

function literal(text: string): Buffer {
  return Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);
}
