/** What one test run did, read from the JUnit file that `bun test` writes. */
export interface Report {
  passed: number;
  failed: string[];
  skipped: string[];
  /** The test files that ran at least one test. */
  files: Set<string>;
}

/**
 * Reads Bun's JUnit XML. The file is written at the very end of a run, so one that is missing or incomplete means that
 * the run was cut short, also where its exit code is 0 (a test that called `process.exit`).
 * @throws Error when the text is no complete report.
 */
export function readJunit(xml: string): Report {
  const announced = /<testsuites [^>]*?\btests="(\d+)"[^>]*>/.exec(xml)?.[1];
  if (announced === undefined || !xml.trimEnd().endsWith("</testsuites>"))
    throw new Error("incomplete JUnit report");
  const report: Report = { passed: 0, failed: [], skipped: [], files: new Set() };
  let seen = 0;
  for (const [, attributes = "", body = ""] of xml.matchAll(
    /<testcase ([^>]*?)(?:\/>|>(.*?)<\/testcase>)/gs,
  )) {
    seen++;
    const file = attribute(attributes, "file");
    const name = [attribute(attributes, "classname"), attribute(attributes, "name")]
      .filter(Boolean)
      .join(" > ");
    report.files.add(file);
    if (/<(failure|error)\b/.test(body)) report.failed.push(`${file}: ${name}`);
    else if (body.includes("<skipped")) report.skipped.push(`${file}: ${name}`);
    else report.passed++;
  }
  if (seen !== Number(announced))
    throw new Error(`JUnit report announces ${announced} tests and lists ${seen}`);
  return report;
}

function attribute(attributes: string, name: string): string {
  const value = new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1] ?? "";
  return value.replace(/&(?:lt|gt|quot|apos|amp|#\d+);/g, unescaped);
}

function unescaped(entity: string): string {
  const named: Record<string, string> = {
    "&lt;": "<",
    "&gt;": ">",
    "&quot;": '"',
    "&apos;": "'",
    "&amp;": "&",
  };
  return named[entity] ?? String.fromCodePoint(Number(entity.slice(2, -1)));
}
