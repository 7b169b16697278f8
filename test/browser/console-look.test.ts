import { expect } from "bun:test";
import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { browserOfFile, browserTest } from "../support/browser.ts";
import { SECRET, startHub } from "../support/hub.ts";
import { type Console, openConsole } from "./console.ts";
import { playScene } from "./scene.ts";

// How the console looks in light, in dark and on a phone; what axe-core finds; pictures in dist/screenshots.

const FOLDER = resolve(import.meta.dir, "../../dist/screenshots");
const LOOKS = {
  light: { colorScheme: "light", viewport: { width: 1360, height: 850 } },
  dark: { colorScheme: "dark", viewport: { width: 1360, height: 850 } },
  phone: { colorScheme: "light", viewport: { width: 390, height: 844 } },
} as const;

/** By path, because its declarations need the whole DOM. */
const AXE = await Bun.file(Bun.resolveSync("axe-core/axe.min.js", import.meta.dir)).text();

interface AxeResults {
  readonly violations: readonly {
    readonly id: string;
    readonly impact: string;
    readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
  }[];
}

const launched = browserOfFile();

/** The serious and critical findings, one line each. */
async function findings(page: Console): Promise<string[]> {
  // In the middle of a transition, from light to dark for one, nobody reads.
  await page.page.evaluate(
    "Promise.allSettled(document.getAnimations().map(({ finished }) => finished)).then(() => 0)",
  );
  await page.page.evaluate(AXE);
  const { violations } = await page.page.evaluate<AxeResults>("axe.run()");
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary ?? ""}`),
    );
}

browserTest("light, dark and on a phone it has no serious finding, and nothing sticks out", async () => {
  await mkdir(FOLDER, { recursive: true });
  await using hub = await startHub();
  await using tab = await (await launched()).open(LOOKS.light);
  await tab.page.clock.install({ time: new Date("2026-03-02T09:41:00") });
  await using page = await openConsole(tab, hub);
  await playScene(page, hub);
  await page.rows.nth(10).waitFor();
  for (const [name, { colorScheme, viewport }] of Object.entries(LOOKS)) {
    await page.page.setViewportSize(viewport);
    await page.page.emulateMedia({ colorScheme });
    const shoot = async (what: string): Promise<void> => {
      expect(await findings(page)).toEqual([]);
      expect(await page.page.evaluate<number>("document.documentElement.scrollWidth - innerWidth")).toBe(0);
      await page.page.evaluate("scrollTo(0, 0)");
      await page.page.screenshot({ path: `${FOLDER}/console-${name}${what}.png` });
    };
    await page.button("Latest").or(page.page.locator("#tail-status")).first().click();
    await shoot("");
    await page.rows.filter({ hasText: "DOC_UPDATE" }).last().click();
    await page.page.locator("#message").waitFor();
    await shoot("-message");
    await page.button("Close the message").click();
    await page.button("Operate").click();
    if (name === "light") {
      await page.page.getByLabel("Worker secret").fill(SECRET);
      await page.button("Unlock").click();
      await page.shows("stats", "Version");
    }
    await shoot("-operate");
    await page.button("Close the forms").click();
    await page.button("Keyboard shortcuts").click();
    await page.page.getByRole("dialog").waitFor();
    expect(await findings(page)).toEqual([]);
    await page.button("Close").click();
    // Until it is gone, its shade lies over everything.
    await page.page.getByRole("dialog").waitFor({ state: "hidden" });
  }
  page.expectNoComplaints();
});
