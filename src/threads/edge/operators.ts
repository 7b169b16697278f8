import type { Maybe } from "../../backplane/backplane.ts";
import { live } from "../../edge/health.ts";
import { problem, unavailable } from "../../edge/problem.ts";
import type { OpsRoutesOptions } from "../../edge/routes.ts";
import type { OperatorPage } from "../wire/to-core.ts";
import type { Questions } from "./questions.ts";

/** What operators look at, as the core has it. */
export interface PageAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Shows operators the whole process, whichever thread they come to: the core writes the pages. */
export function createOperators(
  questions: Pick<Questions, "promise">,
): Pick<OpsRoutesOptions, "health" | "ops"> {
  const page = async (name: OperatorPage): Promise<Response> => {
    try {
      const { status, headers, body } = await questions.promise<PageAnswer>({ op: "page", page: name });
      return new Response(body, { status, headers });
    } catch (error) {
      return problem(unavailable("busy", (error as Error).message));
    }
  };
  const named = (name: OperatorPage) => (): Maybe<Response> => page(name);
  return {
    health: { live, ready: named("ready") },
    ops: { metrics: () => page("metrics"), stats: named("stats") },
  };
}

export async function pageAnswerOf(response: Response): Promise<PageAnswer> {
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body: await response.text(),
  };
}
