/** Prometheus' text format, version 0.0.4. Label values are fixed when a metric is made: no peer can add one. */

export interface Counter<Label extends string> {
  add(label: Label, count?: number): void;
  value(label: Label): number;
}

export interface Histogram {
  observe(seconds: number): void;
}

/** Metrics in the order in which they were made. */
export interface Registry {
  counter<const Label extends string>(
    name: string,
    help: string,
    labelName: string,
    labels: readonly Label[],
  ): Counter<Label>;
  /** A value that is asked for when the page is written; a record has one value for each label set, written as `a="b"`. */
  gauge(name: string, help: string, read: () => number | Readonly<Record<string, number>>): void;
  /** Like a gauge, for a value that only grows and is counted elsewhere. */
  counted(name: string, help: string, read: () => number): void;
  /** @param bounds upper bounds of the buckets, in ascending order; +Inf is added */
  histogram(name: string, help: string, bounds: readonly number[]): Histogram;
  render(): string;
  /** What has been counted since this was last called, in the order in which counters and histograms were made. */
  take(): readonly number[];
  /** Adds what the registry of another thread, with the same counters and histograms, has given. */
  add(counts: readonly number[]): void;
}

export function createRegistry(): Registry {
  const families: (() => string)[] = [];
  /** Every number that is counted here. */
  const cells: { read(): number; write(value: number): void }[] = [];
  const head = (name: string, help: string, type: string): string =>
    `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
  const single = (name: string, help: string, type: string, read: () => number): void => {
    families.push(() => `${head(name, help, type)}${name} ${read()}\n`);
  };

  return {
    counter(name, help, labelName, labels) {
      // A record and not a Map: each message is counted several times.
      const values: Record<string, number> = Object.fromEntries(labels.map((label) => [label, 0]));
      for (const label of labels) {
        cells.push({
          read: () => values[label] ?? 0,
          write(value) {
            values[label] = value;
          },
        });
      }
      families.push(() => {
        const lines = labels.map((label) => `${name}{${labelName}="${label}"} ${values[label]}\n`);
        return head(name, help, "counter") + lines.join("");
      });
      return {
        add(label, count = 1) {
          values[label] = (values[label] ?? 0) + count;
        },
        value: (label) => values[label] ?? 0,
      };
    },
    gauge(name, help, read) {
      families.push(() => {
        const value = read();
        const lines =
          typeof value === "number"
            ? `${name} ${value}\n`
            : Object.entries(value)
                .map(([labels, one]) => `${name}{${labels}} ${one}\n`)
                .join("");
        return head(name, help, "gauge") + lines;
      });
    },
    counted: (name, help, read) => single(name, help, "counter", read),
    histogram(name, help, bounds) {
      const counts = new Array<number>(bounds.length + 1).fill(0);
      let sum = 0;
      for (const at of counts.keys()) {
        cells.push({
          read: () => counts[at] ?? 0,
          write(value) {
            counts[at] = value;
          },
        });
      }
      cells.push({
        read: () => sum,
        write(value) {
          sum = value;
        },
      });
      families.push(() => {
        let cumulative = 0;
        const lines = counts.map((count, at) => {
          cumulative += count;
          return `${name}_bucket{le="${bounds[at] ?? "+Inf"}"} ${cumulative}\n`;
        });
        return `${head(name, help, "histogram")}${lines.join("")}${name}_sum ${sum}\n${name}_count ${cumulative}\n`;
      });
      return {
        observe(seconds) {
          const at = bounds.findIndex((bound) => seconds <= bound);
          const bucket = at === -1 ? bounds.length : at;
          counts[bucket] = (counts[bucket] ?? 0) + 1;
          sum += seconds;
        },
      };
    },
    render: () => families.map((family) => family()).join(""),
    take: () =>
      cells.map((cell) => {
        const counted = cell.read();
        cell.write(0);
        return counted;
      }),
    add(counts) {
      cells.forEach((cell, at) => {
        cell.write(cell.read() + (counts[at] ?? 0));
      });
    },
  };
}
