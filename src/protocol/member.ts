const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * The source text of a top-level member's value, as it stands in the JSON text; with duplicate keys that of the last, like
 * JSON.parse. Reading a value and writing it again would change numbers and spacing, and the hub forwards text.
 * @param json a text that JSON.parse has accepted as an object
 * @returns undefined where there is no such member
 */
export function memberText(json: string, name: string): string | undefined {
  let found: string | undefined;
  let at = json.indexOf("{") + 1;
  while (true) {
    const keyStart = json.indexOf('"', at);
    if (keyStart === -1) return found;
    const keyEnd = stringEnd(json, keyStart);
    const valueStart = json.indexOf(":", keyEnd) + 1;
    const valueEnd = skipValue(json, valueStart);
    // Keys are compared as read, because "data" may also be written with escapes.
    if (JSON.parse(json.slice(keyStart, keyEnd)) === name) found = json.slice(valueStart, valueEnd).trim();
    at = valueEnd + 1;
  }
}

/** The index just past the string that starts at `start`. */
function stringEnd(json: string, start: number): number {
  for (let at = start + 1; ; at++) {
    const char = json.charCodeAt(at);
    if (char === BACKSLASH) at++;
    else if (char === QUOTE) return at + 1;
  }
}

/** The index of the comma or brace that ends the value which starts at `start`. */
function skipValue(json: string, start: number): number {
  let depth = 0;
  for (let at = start; at < json.length; at++) {
    switch (json.charCodeAt(at)) {
      case QUOTE:
        at = stringEnd(json, at) - 1;
        break;
      case 0x7b: // {
      case 0x5b: // [
        depth++;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        if (depth === 0) return at;
        depth--;
        break;
      case 0x2c: // ,
        if (depth === 0) return at;
        break;
      default:
    }
  }
  return json.length;
}
