import { useEffect, useState } from "react";
import { connect, type WorkerStatus } from "vectra-hub/client";

interface Document {
  readonly id: string;
  readonly status: string;
}
interface Update {
  readonly type: "DOC_UPDATE";
  readonly id: string;
  readonly status: string;
}

export function useDocuments(url: string) {
  const [documents, setDocuments] = useState<ReadonlyMap<string, Document>>(new Map());
  const [worker, setWorker] = useState<WorkerStatus>();

  useEffect(() => {
    let loading = Promise.resolve();
    /** The state from before the stream: fetched at the start, and again whenever the hub could not resume. */
    const load = async (): Promise<void> => {
      const list: Document[] = await (await fetch(`${url}/api/v1/documents`)).json();
      setDocuments(new Map(list.map((document) => [document.id, document])));
    };
    const hub = connect<Update>(url, {
      types: ["DOC_UPDATE"],
      onReset: () => (loading = load()),
      // What comes while the state is being fetched is newer than it: it waits.
      onMessage: ({ data: { id, status } }) =>
        void loading.then(() => setDocuments((before) => new Map(before).set(id, { id, status }))),
      onStatus: setWorker,
    });
    return () => hub.close();
  }, [url]);

  return { documents, worker };
}

export function Documents({ url }: { readonly url: string }) {
  const { documents, worker } = useDocuments(url);
  const rows = [...documents.values()].map(({ id, status }) => <li key={id}>{`${id}: ${status}`}</li>);
  return <ul aria-label={`Documents, worker ${worker?.status ?? "unknown"}`}>{rows}</ul>;
}
