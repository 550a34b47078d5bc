/* The part of a logger that we use; Fastify's own (pino) fits. */

type LogMethod = (details: object, message: string) => void

/** Where warnings about providers and the store go. */
export interface Logger {
  debug: LogMethod
  info: LogMethod
  warn: LogMethod
  error: LogMethod
}

const ignore: LogMethod = () => {}

/** A logger that keeps nothing. */
export const silentLogger: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore }

/** A logger that never throws: what providers throw may not even be readable. */
export function guardedLogger (log: Logger): Logger {
  const guarded = (level: keyof Logger): LogMethod => (details, message) => {
    try {
      log[level](details, message)
    } catch {
      try {
        log[level]({}, `${message} (the details cannot be logged)`)
      } catch {
        // A logger that cannot log must not end what is logged.
      }
    }
  }
  return { debug: guarded('debug'), info: guarded('info'), warn: guarded('warn'), error: guarded('error') }
}
