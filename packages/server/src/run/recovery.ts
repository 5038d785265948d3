import { canRecover, recoverRun, recoverRuns } from './recover-runs.ts'
import type { RecoverReport, Recovery, Services } from './services.ts'

/** Milliseconds between two attempts, at most, while the store fails. */
const maxInterval = 30_000

/** Starts to look at once, if `recover.every` is set and the store is durable. */
export function createRecovery(services: Services): Recovery {
  const { settings, runtime, shutdown } = services
  const { clock, random } = runtime
  const { every } = settings.recover
  const isOn = every > 0 && canRecover(services)
  const takingUp = new Map<string, Promise<unknown>>()
  let looking: Promise<RecoverReport> | undefined
  let failures = 0
  let cancelTimer = (): void => undefined

  async function look(): Promise<RecoverReport> {
    try {
      const report = await recoverRuns(services)
      failures = 0
      return report
    } catch (error) {
      failures++
      throw error
    } finally {
      looking = undefined
    }
  }

  const recover = (): Promise<RecoverReport> => (looking ??= look())

  function schedule(): void {
    // The instances of a service start together: without jitter they would all ask in the same moment, each time.
    const delay = Math.min(Math.max(maxInterval, every), every * 2 ** failures) * (0.5 + random())
    cancelTimer = clock.setTimer(() => {
      void recover()
        // Reported where the store was asked.
        .catch(() => undefined)
        .finally(() => {
          if (!shutdown.hasBegun) schedule()
        })
    }, delay)
  }

  if (isOn) schedule()

  return {
    recover,
    takeUp(runId) {
      if (!isOn || takingUp.has(runId)) return
      const taken = recoverRun(services, runId)
        .catch(() => undefined)
        .finally(() => takingUp.delete(runId))
      takingUp.set(runId, taken)
    },
    stop() {
      cancelTimer()
      const underWay = [...(looking ? [looking] : []), ...takingUp.values()]
      return underWay.length > 0 ? Promise.allSettled(underWay) : undefined
    },
  }
}
