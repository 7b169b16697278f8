import { settingsMarkdown } from "../../src/config/render.ts";
import { CLOSE } from "../../src/protocol/close.ts";

/** The parts of the README that come from the source, by the name in the comment that begins them. */
const PARTS: Readonly<Record<string, () => string>> = {
  settings: settingsMarkdown,
  "close codes": closeCodesMarkdown,
};

const PART = /(<!-- generated: ([a-z ]+) -->\n)[\s\S]*?(<!-- end of generated -->)/g;

/**
 * The README with all generated parts as the source wants them now.
 * @throws where a part is missing, is there twice, or has a name that nobody knows
 */
export function withCurrentParts(readme: string): string {
  const missing = new Set(Object.keys(PARTS));
  const current = readme.replace(PART, (_, begin: string, name: string, end: string) => {
    if (!missing.delete(name)) throw new Error(`README.md: no or a second part "${name}"`);
    return `${begin}${PARTS[name]?.()}\n${end}`;
  });
  if (missing.size > 0) throw new Error(`README.md has no part ${[...missing].join(", ")}`);
  return current;
}

function closeCodesMarkdown(): string {
  const closes = Object.values(CLOSE).toSorted((a, b) => a.code - b.code);
  return [
    "| code | reason | come back? |",
    "| --- | --- | --- |",
    ...closes.map(({ code, reason, comeBack }) => `| ${code} | ${reason} | ${comeBack} |`),
  ].join("\n");
}
