/* An AbortSignal for code of others: a listener that throws, or rejects, is reported. Node would end the process for it. */

type Listener = ((event: Event) => unknown) | { handleEvent (event: Event): unknown } | null
type Options = boolean | { once?: boolean, passive?: boolean, capture?: boolean, signal?: AbortSignal }

/**
 * The same signal, whose own listeners cannot end the process. Those of signals derived from it by `AbortSignal.any` are not
 * covered.
 */
export function guardListeners (signal: AbortSignal, report: (error: unknown) => void): AbortSignal {
  const guards = new WeakMap<object, (event: Event) => unknown>()
  const guarded = (listener: Listener): Listener => {
    if (listener === null || (typeof listener !== 'function' && typeof listener !== 'object')) return listener
    const known = guards.get(listener)
    if (known !== undefined) return known
    const guard = async (event: Event): Promise<void> => {
      try {
        await (typeof listener === 'function' ? Reflect.apply<AbortSignal, [Event], unknown>(listener, signal, [event]) : listener.handleEvent(event))
      } catch (error) {
        report(error)
      }
    }
    guards.set(listener, guard)
    return guard
  }
  const add = signal.addEventListener.bind(signal) as (type: string, listener: Listener, options?: Options) => void
  const remove = signal.removeEventListener.bind(signal) as (type: string, listener: Listener, options?: Options) => void
  let onabort: Listener = null
  return Object.defineProperties(signal, {
    addEventListener: { value: (type: string, listener: Listener, options?: Options) => add(type, guarded(listener), options) },
    removeEventListener: { value: (type: string, listener: Listener, options?: Options) => remove(type, guarded(listener), options) },
    onabort: {
      get: () => onabort,
      set: (listener: Listener) => {
        remove('abort', guarded(onabort))
        onabort = typeof listener === 'function' ? listener : null
        if (onabort !== null) add('abort', guarded(onabort))
      }
    }
  })
}
