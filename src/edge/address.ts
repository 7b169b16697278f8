/** A dual-stack socket reports an IPv4 peer as `::ffff:192.0.2.1`; everywhere else that address is `192.0.2.1`. */
export function normalAddress(address: string | undefined): string {
  return address?.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, "") ?? "unknown";
}
