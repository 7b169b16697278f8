import { type Finding, type Report, renderFindings } from "./finding.ts";
import type { RelayRound } from "./generator/relay.ts";
import { type Histogram, merge, percentileOf } from "./histogram.ts";
import { summarise } from "./statistics.ts";
import { addedMs } from "./threads-report.ts";

/** What one number of hubs has shown; without Redis it is one hub by itself, the baseline of the others. */
export interface RedisResult {
  name: string;
  hubs: number;
  hasRedis: boolean;
  relay: readonly RelayRound[];
  latency: readonly { latencies: Histogram }[];
}

const perSecond = ({ messages, seconds }: RelayRound): number => messages / seconds;
const redisMicroseconds = ({ messages, redisCpuSeconds }: RelayRound): number =>
  (redisCpuSeconds / messages) * 1e6;
const hubMicroseconds = ({ messages, hubsCpuSeconds }: RelayRound): number =>
  (hubsCpuSeconds / messages) * 1e6;

/** What everybody else took of the machine's cores. */
export function othersShare(round: RelayRound): number {
  const own = round.redisCpuSeconds + round.hubsCpuSeconds + round.generatorCpuSeconds;
  return Math.max(0, round.machineCpuSeconds - own) / round.seconds;
}

/** A round's rate ÷ the baseline's of the same turn, and of that the median: a machine's speed drifts. */
export function timesRate(baseline: readonly RelayRound[], rounds: readonly RelayRound[]): number {
  const base = baseline.map(perSecond);
  return summarise(rounds.map((round, turn) => perSecond(round) / (base[turn] ?? Number.NaN))).median;
}

/** How many messages a second one core of Redis would carry, were it busy with nothing else all the time. */
export function redisCapacity(rounds: readonly RelayRound[]): number {
  return 1e6 / summarise(rounds.map(redisMicroseconds)).median;
}

export function findRedis(
  results: readonly RedisResult[],
  load: { inFlight: number; perSecond: number },
): Finding[] {
  const baseline = results.find(({ hasRedis }) => !hasRedis);
  const shared = results.filter(({ hasRedis }) => hasRedis);
  const noTarget = { target: "", met: true };
  return shared.flatMap(({ name, relay, latency }): Finding[] => {
    const rate = summarise(relay.map(perSecond)).median;
    const times =
      baseline === undefined
        ? ""
        : `, ${timesRate(baseline.relay, relay).toFixed(2)} of one hub's without Redis`;
    const [p50, p99] = [0.5, 0.99].map((share) => addedMs(baseline?.latency ?? [], latency, share));
    const added =
      baseline === undefined
        ? []
        : [
            {
              what: `latency that Redis adds, ${name}, at ${load.perSecond} messages/s`,
              measured: `${signedMs(p50)} at the median, ${signedMs(p99)} at p99`,
              ...noTarget,
            },
          ];
    return [
      {
        what: `through Redis, ${name}, ${load.inFlight} in flight`,
        measured: `${thousands(rate)} messages/s end to end${times}`,
        ...noTarget,
      },
      {
        what: `what one core of Redis carries, ${name}`,
        measured: `${thousands(redisCapacity(relay))} messages/s (${summarise(relay.map(redisMicroseconds)).median.toFixed(1)} µs each)`,
        ...noTarget,
      },
      ...added,
    ];
  });
}

/** How much others disturbed the rounds, in words. */
export function describeRedisDisturbance(results: readonly RedisResult[]): string {
  const most = Math.max(...results.map(({ relay }) => summarise(relay.map(othersShare)).median));
  return `others took at most ${percent(most)} of a core in the median`;
}

export function renderRedis(report: Report, results: readonly RedisResult[], settings: string): string {
  const rows = results.map(({ name, hasRedis, relay, latency }) => {
    const median = (value: (round: RelayRound) => number): number => summarise(relay.map(value)).median;
    const rate = summarise(relay.map(perSecond));
    const latencies = merge(latency.map((round) => round.latencies));
    const cells = [
      name,
      thousands(rate.median),
      percent(rate.spread),
      hasRedis ? median(redisMicroseconds).toFixed(1) : "",
      hasRedis ? percent(median(({ redisCpuSeconds, seconds }) => redisCpuSeconds / seconds)) : "",
      median(hubMicroseconds).toFixed(1),
      percent(median(({ generatorCpuSeconds, seconds }) => generatorCpuSeconds / seconds)),
      percent(median(othersShare)),
      ...[0.5, 0.99].map((share) => percentileOf(latencies, share).toFixed(2)),
    ];
    return `| ${cells.join(" | ")} |`;
  });
  return `# ${report.title}

${report.date}, on ${report.machine}; ${report.disturbance}.
Repeat it with \`${report.command}\`.

Redis: ${settings}.

${renderFindings(report.findings)}

| | messages/s | spread | Redis CPU µs | Redis busy | hubs' CPU µs | generator busy | others | p50 ms | p99 ms |
| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |
${rows.join("\n")}

At each hub one worker publishes messages of 200 bytes and one client receives those of all, checked to be complete, in
order, and in the same order at every hub; a message counts when it has come to every hub. The hubs' CPU is that of all
of them together, for each message. Latencies are those of a low pace, from when each message should have been sent: with
several hubs it is published at the first and read at the others. All of it shares this machine's cores, so that more hubs
can bring no more here; what one message costs Redis is what travels.
`;
}

function thousands(value: number): string {
  return (Math.round(value / 100) * 100).toLocaleString("en");
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function signedMs(ms: number | undefined): string {
  const value = ms ?? Number.NaN;
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)} ms`;
}
