import { type Answer, ask, refusalOf } from "./api.ts";
import { byId, setText } from "./dom.ts";
import { randomHex } from "./runtime.ts";

export interface SendFormOptions {
  /** The ids of its elements begin with this. */
  readonly name: "publish" | "command";
  readonly example: string;
  /** The address of the call, when it is made. */
  readonly url: () => string;
  readonly secret: () => string | undefined;
  /** What is said of the answer. */
  readonly onAccepted: (answer: Answer, say: (text: string) => void) => void;
}

/** A form that sends one JSON object, the very text that was typed. */
export function createSendForm({ name, example, url, secret, onAccepted }: SendFormOptions): void {
  const form = byId(name, HTMLFormElement);
  const text = byId(`${name}-text`, HTMLTextAreaElement);
  const result = byId(`${name}-result`, HTMLOutputElement);
  // The key of a call whose answer was lost, and what it asked: asked again, it must not be done twice.
  let unanswered: { readonly asked: string; readonly key: string } | undefined;
  let isSending = false;
  text.value = example;

  const say = (words: string, isGood = true): void => {
    result.dataset["tone"] = isGood ? "good" : "bad";
    setText(result, words);
  };
  const send = async (): Promise<void> => {
    const problem = problemOf(text.value);
    text.setAttribute("aria-invalid", String(problem !== undefined));
    if (problem !== undefined) return say(problem, false);
    const asked = `${url()} ${text.value}`;
    const key = unanswered?.asked === asked ? unanswered.key : `console-${randomHex(16)}`;
    isSending = true;
    const answer = await ask("POST", url(), { secret: secret(), body: text.value, key });
    isSending = false;
    unanswered = answer.status === 0 ? { asked, key } : undefined;
    if (answer.ok) onAccepted(answer, say);
    else say(refusalOf(answer), false);
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!isSending) void send();
  });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
}

function problemOf(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? undefined
      : "A message is a JSON object: {…}";
  } catch (error) {
    return `This is no JSON: ${error instanceof Error ? error.message : String(error)}`;
  }
}
