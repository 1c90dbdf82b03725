/** Text of base64 UTF-8 bytes; bytes that are no UTF-8 read as replacement characters, broken base64 as none. */
export function decodeText(base64: string): string {
  try {
    const bytes = Uint8Array.from(atob(base64), (unit) => unit.charCodeAt(0));
    return new TextDecoder().decode(bytes);
  } catch {
    return "";
  }
}

/** Base64 of a text's UTF-8 bytes. */
export function encodeText(text: string): string {
  let binary = "";
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte);
  return btoa(binary);
}
