/** A piece of formatted JSON. `space` and `mark` are what stands between the values. */
export interface Token {
  readonly kind: "key" | "string" | "number" | "word" | "mark" | "space";
  readonly text: string;
}

/** A message nested deep can grow a lot by indenting: past this, it is shown as it came. */
const OUTPUT_LIMIT_CHARS = 4_000_000;
const INDENT = "  ";

const LEXEME = /"[^"\\]*(?:\\.[^"\\]*)*"|[-+.0-9eE]+|[a-z]+|[[\]{},:]/gy;
const WHITE_SPACE = /[ \t\r\n]*/y;

/**
 * Lays a JSON text out over lines. It works on the text and never on the parsed value, so that every number, escape and
 * doubled key stands there as it was sent: 9007199254740993 must not become 9007199254740992.
 * @param json what the hub has accepted as JSON
 * @returns undefined where it is cut short or would become too long
 */
export function layOut(json: string): Token[] | undefined {
  const tokens: Token[] = [];
  const open: string[] = [];
  let length = 0;
  const add = (kind: Token["kind"], text: string): void => {
    tokens.push({ kind, text });
    length += text.length;
  };
  const newLine = (): void => add("space", `\n${INDENT.repeat(open.length)}`);

  let lexeme = next(json, 0);
  while (lexeme !== undefined) {
    const { text, end } = lexeme;
    const following = next(json, end);
    if (text === "{" || text === "[") {
      add("mark", text);
      open.push(text);
      if (following?.text !== "}" && following?.text !== "]") newLine();
    } else if (text === "}" || text === "]") {
      const isEmpty = json[lexeme.previousEnd - 1] === open.pop();
      if (!isEmpty) newLine();
      add("mark", text);
    } else if (text === ",") {
      add("mark", text);
      newLine();
    } else if (text === ":") {
      add("mark", ": ");
    } else {
      add(kindOf(text, following?.text === ":"), text);
    }
    if (length > OUTPUT_LIMIT_CHARS) return undefined;
    if (following === undefined && end !== json.trimEnd().length) return undefined;
    lexeme = following;
  }
  return open.length === 0 ? tokens : undefined;
}

interface Lexeme {
  readonly text: string;
  readonly end: number;
  /** Where the one before it ended. */
  readonly previousEnd: number;
}

function next(json: string, from: number): Lexeme | undefined {
  WHITE_SPACE.lastIndex = from;
  WHITE_SPACE.exec(json);
  LEXEME.lastIndex = WHITE_SPACE.lastIndex;
  const [text] = LEXEME.exec(json) ?? [];
  return text === undefined ? undefined : { text, end: LEXEME.lastIndex, previousEnd: from };
}

function kindOf(text: string, isKey: boolean): Token["kind"] {
  if (text.startsWith('"')) return isKey ? "key" : "string";
  return /^[a-z]/.test(text) ? "word" : "number";
}
