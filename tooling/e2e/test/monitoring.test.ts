import { requireProgram } from '@millrace/config/programs'
import { patience } from '@millrace/config/vitest'
import { metricList } from '@millrace/telemetry'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { parse } from 'yaml'
import { controlKinds, type Driver, type Kind, startDriver, streamingKinds } from './support/drive-runs.ts'
import { measured, measuredBySdk } from './support/monitored-loop.ts'
import {
  alertRules,
  alertsPath,
  alertTestsPath,
  dashboard,
  guideBlocks,
  panelQueries,
  rules,
  seriesOf,
} from './support/monitoring-files.ts'
import { type Prometheus, startPrometheus } from './support/prometheus.ts'

/** How to ask until Prometheus has stored what was scraped. */
const polling = { timeout: patience, interval: 100 }
const often = { scrape_interval: '200ms', scrape_timeout: '200ms', evaluation_interval: '200ms' }

interface Service extends Driver {
  /** What Prometheus is told to scrape. */
  readonly target: string
  /** The metrics as they are scraped. */
  scrape(): Promise<string>
}

async function serve(measure: Parameters<typeof startDriver>[0]): Promise<Service> {
  const { server, ...driver } = await startDriver(measure)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new TypeError('the server has no port')
  const target = `127.0.0.1:${address.port}`
  return {
    ...driver,
    target,
    scrape: async () => (await fetch(`http://${target}/metrics`)).text(),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await driver[Symbol.asyncDispose]()
    },
  }
}

/** What the guide tells Prometheus to rename of what the exporter of OpenTelemetry's SDK says. */
function relabelling(): unknown {
  const configs: readonly Record<string, unknown>[] = guideBlocks('yaml').flatMap(
    (block) => parse(block).scrape_configs,
  )
  const found = configs.find((config) => 'metric_relabel_configs' in config)
  if (found === undefined) throw new Error('the guide renames nothing')
  return found['metric_relabel_configs']
}

function times(count: number, ...kinds: Kind[]): Kind[] {
  return kinds.flatMap((kind) => Array.from({ length: count }, () => kind))
}

/** A query as Grafana would send it, with all of everything chosen. */
function substitute(expr: string, job: string): string {
  const values: Record<string, string> = {
    job,
    arm: '.*',
    mode: '.*',
    model: '.*',
    window: '1h',
    __range: '1h',
    __rate_interval: '1h',
  }
  return expr.replaceAll(/\$(\w+)/g, (whole, name: string) => values[name] ?? whole)
}

/** The alerts that are pending or firing. */
async function raised(prometheus: Prometheus): Promise<readonly string[]> {
  const found = await prometheus.query('count by (alertname) (ALERTS)')
  return found.map(({ labels }) => labels['alertname'] ?? '').sort()
}

requireProgram('prometheus').describe('a real Prometheus', () => {
  const opened: AsyncDisposable[] = []
  let services: Readonly<Record<'own' | 'sdk', Service>>
  let prometheus: Prometheus

  /** Waits until all runs that have ended are stored. */
  async function stored(job: keyof typeof services): Promise<void> {
    const counted = (await services[job].scrape()).matchAll(/^millrace_runs_total\{.*\} (\d+)/gm)
    const ended = Array.from(counted, ([, count]) => Number(count)).reduce((one, other) => one + other, 0)
    await vi.waitFor(async () => {
      const [sum] = await prometheus.query(`sum(millrace_runs_total{job="${job}"})`)
      expect(sum?.value).toBe(ended)
    }, polling)
  }

  async function expectData(query: string): Promise<void> {
    const known = async () => (await prometheus.query(query)).some(({ value }) => Number.isFinite(value))
    await expect.poll(known, { ...polling, message: query }).toBe(true)
  }

  beforeAll(async () => {
    services = { own: await serve(measured), sdk: await serve(measuredBySdk) }
    const { own, sdk } = services
    opened.push(own, sdk)
    prometheus = await startPrometheus({
      global: often,
      rule_files: [alertsPath],
      scrape_configs: [
        { job_name: 'own', static_configs: [{ targets: [own.target] }] },
        { job_name: 'sdk', static_configs: [{ targets: [sdk.target] }], metric_relabel_configs: relabelling() },
      ],
    })
    opened.push(prometheus)
    // Prometheus sees a counter grow from its second sample on: so each happens, is seen, and happens again.
    for (let round = 1; round <= 2; round++) {
      for (const job of ['own', 'sdk'] as const) {
        // First what goes well: the breaker must stay closed.
        await services[job].drive(times(12, 'clean', 'control'))
        await services[job].drive([...streamingKinds, ...controlKinds].filter((kind) => kind !== 'slow'))
        await services[job].takeOver()
        await stored(job)
      }
    }
  }, 120_000)

  afterAll(async () => {
    for (const each of opened.toReversed()) await each[Symbol.asyncDispose]()
  })

  const jobs = ['own', 'sdk'] as const

  test.each(metricList)('has the series of $name', async (metric) => {
    for (const job of jobs) for (const name of seriesOf(metric)) await expectData(`${name}{job="${job}"}`)
  })

  test.each(panelQueries)('has data for the panel "%s" (query %#)', async (_title, expr) => {
    for (const job of jobs) await expectData(substitute(expr, job))
  })

  test.each(guideBlocks('promql'))('has data for formula %# of the guide', async (formula) => {
    await expectData(formula)
  })

  test.each(dashboard.templating.list.filter(({ type }) => type === 'query'))(
    'has values for the variable $name',
    async ({ query }) => {
      const asked = typeof query === 'string' ? query : query.query
      const [, selector = '', label = ''] = /^label_values\((.+), (\w+)\)$/.exec(asked) ?? []
      const match = encodeURIComponent(substitute(selector, '.*'))
      expect(await prometheus.get(`label/${label}/values?match[]=${match}`)).not.toEqual([])
    },
  )

  test('has nothing to say against the text that it scrapes', async () => {
    const input = await services.own.scrape()
    expect(execFileSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8', stdio: 'pipe' })).toBe('')
  })

  test('raises every alert where all goes wrong', async () => {
    const { own } = services
    await own.drive([...times(60, 'control'), ...times(80, 'slow'), ...times(120, 'tool_fails', 'hopeless')])
    await stored('own')
    const alerts = alertRules.map(({ alert }) => alert).filter((alert) => alert !== 'MillraceNoData')
    await expect.poll(() => raised(prometheus), polling).toEqual(alerts.sort())
  })

  test('raises an alert where there is nothing to scrape', async () => {
    await using deaf = await startPrometheus({ global: often, rule_files: [alertsPath] })
    await expect.poll(() => raised(deaf), polling).toEqual(['MillraceNoData'])
  })
})

requireProgram('promtool').describe('promtool', () => {
  test('has nothing to say against the alert rules', () => {
    const said = execFileSync('promtool', ['check', 'rules', alertsPath], { encoding: 'utf8', stdio: 'pipe' })
    expect(said).toContain(`${rules.length} rules found`)
  })

  test('finds the alert rules to fire when they should, and not when they should not', () => {
    const said = execFileSync('promtool', ['test', 'rules', alertTestsPath], { encoding: 'utf8', stdio: 'pipe' })
    expect(said).toContain('SUCCESS')
  })
})
