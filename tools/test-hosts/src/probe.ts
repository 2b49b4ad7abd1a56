/** One message as a client got it. */
export interface Received {
  readonly id: string | undefined;
  readonly type: string;
  readonly message: unknown;
  /** When, milliseconds. */
  readonly at: number;
}

export interface ProbeOptions {
  readonly token?: string | undefined;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** WebSocket subprotocols. */
  readonly protocols?: readonly string[];
}

/** A client of either transport. */
export interface Probe {
  readonly received: readonly Received[];
  message(type: string, is?: (message: Record<string, unknown>) => boolean): Promise<Received>;
  end(): Promise<unknown>;
  close(): void;
}
