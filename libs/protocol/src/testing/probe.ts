/** One message as a client got it. */
export interface Received {
  /** The cursor that came with it. */
  readonly id: string | undefined;
  readonly type: string;
  readonly message: unknown;
  /** When, milliseconds since 1970. */
  readonly at: number;
}

export interface ProbeOptions {
  readonly token?: string | undefined;
  /** More of the endpoint's parameters: `last_event_id`, `client`, `types`, `replaces`. */
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** WebSocket subprotocols. */
  readonly protocols?: readonly string[];
}

/** A client of either transport, for tests: keeps everything it hears, in order. */
export interface Probe {
  readonly received: readonly Received[];
  /**
   * The first message of this type, perhaps one that has come already, for which `is` says yes.
   * @throws if none comes within ten seconds
   */
  message(type: string, is?: (message: Record<string, unknown>) => boolean): Promise<Received>;
  /** Waits until the server has ended the stream. @throws if it does not within ten seconds */
  end(): Promise<unknown>;
  /** Disconnects at once. */
  close(): void;
}
