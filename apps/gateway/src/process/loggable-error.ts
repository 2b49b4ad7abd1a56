/** An error of ours whose message may be logged as it is: it holds nothing that people typed. */
export abstract class LoggableError extends Error {}
