import { crc32 } from "node:zlib";

/** One message of AWS's event stream: string headers, a payload, checksums by Node's own code. */
export function awsFrame(headers: Record<string, string>, payload: string): Uint8Array {
  const heads = Buffer.concat(
    Object.entries(headers).map(([name, value]) => {
      const text = Buffer.from(value);
      const size = Buffer.alloc(2);
      size.writeUInt16BE(text.length);
      return Buffer.concat([
        Buffer.from([name.length]),
        Buffer.from(name),
        Buffer.from([7]),
        size,
        text,
      ]);
    }),
  );
  const body = Buffer.from(payload);
  const prelude = Buffer.alloc(12);
  prelude.writeUInt32BE(16 + heads.length + body.length, 0);
  prelude.writeUInt32BE(heads.length, 4);
  prelude.writeUInt32BE(crc32(prelude.subarray(0, 8)), 8);
  const message = Buffer.concat([prelude, heads, body]);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(message));
  return Buffer.concat([message, sum]);
}

/** An event of this type. */
export const awsEvent = (type: string, payload: object): Uint8Array =>
  awsFrame(
    { ":event-type": type, ":content-type": "application/json", ":message-type": "event" },
    JSON.stringify(payload),
  );

/** An exception, which ends a stream. */
export const awsException = (type: string, message: string): Uint8Array =>
  awsFrame(
    { ":exception-type": type, ":content-type": "application/json", ":message-type": "exception" },
    JSON.stringify({ message }),
  );
