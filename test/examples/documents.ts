import { defineStore } from "pinia";
import { connect, type WorkerStatus } from "vectra-hub/client";
import { onScopeDispose, ref } from "vue";

interface Document {
  id: string;
  status: string;
  processed: number;
  total: number;
}
type Message =
  | { type: "DOC_UPDATE"; id: string; status: string }
  | { type: "DOC_PROGRESS"; doc_id: string; processed: number; total: number };

export const useDocuments = defineStore("documents", () => {
  const documents = ref(new Map<string, Document>());
  const worker = ref<WorkerStatus>();
  let loading = Promise.resolve();

  /** The state from before the stream: fetched at the start, and again whenever the hub could not resume. */
  async function load(): Promise<void> {
    const response = await fetch("/api/v1/documents");
    const list: Document[] = await response.json();
    documents.value = new Map(list.map((document) => [document.id, document]));
  }
  function apply(message: Message): void {
    const document = documents.value.get(message.type === "DOC_UPDATE" ? message.id : message.doc_id);
    if (document === undefined) return;
    if (message.type === "DOC_UPDATE") document.status = message.status;
    else Object.assign(document, { processed: message.processed, total: message.total });
  }

  const hub = connect<Message>(location.origin, {
    types: ["DOC_UPDATE", "DOC_PROGRESS"],
    onReset: () => (loading = load()),
    // What comes while the state is being fetched is newer than it: it waits.
    onMessage: ({ data }) => void loading.then(() => apply(data)),
    onStatus: (status) => (worker.value = status),
  });
  onScopeDispose(() => hub.close());
  return { documents, worker };
});
