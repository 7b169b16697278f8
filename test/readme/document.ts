import { join } from "node:path";

/** The README, as the tests and `make readme` see it. */
export const README = join(import.meta.dir, "../../README.md");

/** A fenced block. Its first line is ` ```language name `; Markdown shows only the language. */
export interface Block {
  readonly language: string;
  readonly name: string;
  readonly text: string;
}

/** All fenced blocks, in their order. */
export function blocksOf(markdown: string): Block[] {
  return [...markdown.matchAll(/^```(\w*) ?(.*)\n([\s\S]*?)^```$/gm)].map(
    ([, language = "", name = "", text = ""]) => ({ language, name, text }),
  );
}

/** The languages whose blocks are examples to run. The others show something: an output, a picture, a configuration. */
const RUNNABLE = new Set(["sh", "python", "ts"]);

/** What a reader would run. */
export function examplesOf(markdown: string): Block[] {
  return blocksOf(markdown).filter(({ language }) => RUNNABLE.has(language));
}

/** What the page says that an example prints; undefined where it says nothing. */
export function outputOf(markdown: string, name: string): string | undefined {
  return blocksOf(markdown).find((block) => block.name === `output of ${name}`)?.text;
}

/** The rows of the table under a heading, cell by cell, without its head. */
export function tableUnder(markdown: string, heading: string): string[][] {
  const section = markdown.split(/^#+ /m).find((text) => text.startsWith(`${heading}\n`)) ?? "";
  const lines = section.split("\n").filter((line) => line.startsWith("|"));
  return lines.slice(2).map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}
