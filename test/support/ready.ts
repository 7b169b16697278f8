import { within } from "./deadline.ts";

/** What `GET /readyz` says (PROTOCOL.md section 4). */
export interface Readiness {
  readonly status: string;
  readonly checks: Readonly<Record<string, { readonly ok: boolean; readonly detail?: string }>>;
}

/** Asks again and again until the answer has this status code, for no event announces it. @returns what it says */
export async function untilReadiness(url: string, status: 200 | 503): Promise<Readiness> {
  const ask = async (): Promise<Readiness> => {
    while (true) {
      const response = await fetch(`${url}/readyz`, { keepalive: false });
      const said: Readiness = JSON.parse(await response.text());
      if (response.status === status) return said;
      await Bun.sleep(5);
    }
  };
  return await within(ask(), `${status} from ${url}/readyz`);
}
