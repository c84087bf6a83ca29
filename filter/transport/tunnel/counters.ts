// What became of sessions and datagrams, over all tunnel connections of a VM.

@final
export class TunnelCounters {
  sessionsOpened: u64 = 0;
  /** Ended by Envoy, or with its connection. */
  sessionsEnded: u64 = 0;
  /** Ended by us with nothing pending. */
  sessionsLingered: u64 = 0;
  /** Ended by us while a query waited: there were too many sessions of an address, or of all. */
  sessionsEvicted: u64 = 0;
  /** Requests without exactly one client address. */
  sessionsRefused: u64 = 0;
  datagramsReceived: u64 = 0;
  datagramsSent: u64 = 0;
  /** Answers that the peer's windows had no room for, or that are no UDP payload of ours. */
  datagramsDropped: u64 = 0;
  /** Answers to sessions that had ended. */
  datagramsLate: u64 = 0;
  /** Datagrams too large, of another context, or in too many parts at a time. */
  datagramsMalformed: u64 = 0;
  /** Capsules of other types. */
  capsulesSkipped: u64 = 0;
  connectionErrors: u64 = 0;
}

/** Since the VM began. */
export const tunnelCounters = new TunnelCounters();
