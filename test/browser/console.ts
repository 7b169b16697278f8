import { expect } from "bun:test";
import type { BrowserContextOptions, Locator } from "playwright-core";
import type { Browser, Tab } from "../support/browser.ts";
import { type Hub, SECRET } from "../support/hub.ts";

/** The console in a tab, as somebody sees it. */
export interface Console extends Tab {
  /** Waits until the element with this id is to be seen and says this. */
  shows(id: string, text: string | RegExp): Promise<void>;
  /** The rows of messages that are in the document. */
  readonly rows: Locator;
  /** Waits until the rows are these, in this order, and no others. */
  showsRows(texts: readonly string[]): Promise<void>;
  button(name: string): Locator;
  /** Opens the panel of forms and gives the secret. */
  unlock(): Promise<void>;
  /** Fails where the page has complained of anything. */
  expectNoComplaints(expected?: RegExp): void;
}

/**
 * Opens the console of a hub and waits until it is live.
 * @param where a browser, for a tab of its own, or a tab
 */
export async function openConsole(
  where: Browser | Tab,
  hub: Pick<Hub, "url">,
  options: BrowserContextOptions = {},
): Promise<Console> {
  const tab = "open" in where ? await where.open(options) : where;
  const { page } = tab;
  const shows = (id: string, text: string | RegExp): Promise<void> =>
    page.locator(`#${id}`, { hasText: text }).waitFor();
  const rows = page.locator("#rows .row.message:not([hidden])");
  const button = (name: string): Locator => page.getByRole("button", { name, exact: true });
  await page.goto(hub.url);
  await shows("link", "Live");
  return {
    ...tab,
    shows,
    rows,
    button,
    async showsRows(texts) {
      for (const [place, text] of texts.entries()) await rows.nth(place).filter({ hasText: text }).waitFor();
      await rows.nth(texts.length).waitFor({ state: "hidden" });
    },
    async unlock() {
      await button("Operate").click();
      await page.getByLabel("Worker secret").fill(SECRET);
      await button("Unlock").click();
      await page.locator("#unlocked").waitFor();
    },
    expectNoComplaints: (expected) => expect(tab.complaints(expected)).toEqual([]),
  };
}
