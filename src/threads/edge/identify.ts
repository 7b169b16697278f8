import type { ForwardAuth, ForwardVerdict } from "../../auth/forward.ts";
import type { Outbox } from "../wire/batch.ts";
import type { ToCore } from "../wire/to-core.ts";
import type { Questions } from "./questions.ts";

/** Forward-auth by way of the core, so that the endpoint is asked as one hub would ask: once, and not about too many. */
export function createRemoteForwardAuth(
  questions: Pick<Questions, "ask">,
  outbox: Pick<Outbox<ToCore>, "say">,
): Pick<ForwardAuth, "check"> {
  return {
    check(credentials, gone) {
      const { promise, resolve } = Promise.withResolvers<ForwardVerdict>();
      const id = questions.ask(
        { op: "identify", credentials },
        [],
        (value) => resolve(value as ForwardVerdict),
        (why) => resolve({ code: "unavailable", why }),
      );
      const giveUp = (): void => {
        if (id !== undefined) outbox.say({ op: "giveUp", question: id });
      };
      if (gone?.aborted) giveUp();
      gone?.addEventListener("abort", giveUp);
      return promise.finally(() => gone?.removeEventListener("abort", giveUp));
    },
  };
}
