import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { repositoryRoot } from '@millrace/config/workspace'
import { metricList } from '@millrace/telemetry'
import { parse } from 'yaml'

const monitoringFolder = join(repositoryRoot, 'docs/monitoring')
export const alertsPath: string = join(monitoringFolder, 'alerts.yml')
export const alertTestsPath: string = join(monitoringFolder, 'alerts.test.yml')

interface Target {
  readonly expr: string
  readonly datasource: { readonly uid: string }
}

interface Panel {
  readonly id: number
  readonly title: string
  readonly type: string
  readonly description?: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly Target[]
}

interface Variable {
  readonly name: string
  readonly type: string
  readonly query: string | { readonly query: string }
}

export interface Dashboard {
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly Variable[] }
}

export interface AlertRule {
  readonly alert: string
  readonly expr: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

export interface AlertTests {
  readonly tests: readonly {
    readonly alert_rule_test?: readonly { readonly alertname: string; readonly exp_alerts: readonly unknown[] }[]
  }[]
}

export const dashboard: Dashboard = JSON.parse(readFileSync(join(monitoringFolder, 'grafana-dashboard.json'), 'utf8'))

interface RecordingRule {
  readonly record: string
  readonly expr: string
}

const { groups }: { groups: readonly { rules: readonly (AlertRule | RecordingRule)[] }[] } = parse(
  readFileSync(alertsPath, 'utf8'),
)

/** Everything that the file of alerts evaluates: what it records, and its alerts. */
export const rules: readonly (AlertRule | RecordingRule)[] = groups.flatMap((group) => group.rules)
export const alertRules: readonly AlertRule[] = rules.filter((rule) => 'alert' in rule)

export const alertTests: AlertTests = parse(readFileSync(alertTestsPath, 'utf8'))

export const guide: string = readFileSync(join(repositoryRoot, 'docs/guides/monitoring.md'), 'utf8')

/** The blocks of the guide in one language. */
export function guideBlocks(language: string): readonly string[] {
  const blocks = guide.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))
  return Array.from(blocks, ([, block = '']) => block)
}

/** Each query of the dashboard with the title of its panel. */
export const panelQueries: readonly (readonly [title: string, expr: string])[] = dashboard.panels.flatMap(
  ({ title, targets = [] }) => targets.map(({ expr }) => [title, expr] as const),
)

const prometheusLabel = (label: string): string => label.replaceAll('.', '_')

const labelNames: ReadonlySet<string> = new Set(metricList.flatMap(({ labels }) => labels.map(prometheusLabel)))

/** Every name of a series that Prometheus has of a metric. */
export function seriesOf({ prometheus, type }: (typeof metricList)[number]): readonly string[] {
  return type === 'histogram' ? ['_bucket', '_sum', '_count'].map((suffix) => `${prometheus}${suffix}`) : [prometheus]
}

const metricOfSeries: ReadonlyMap<string, (typeof metricList)[number]> = new Map(
  metricList.flatMap((metric) => seriesOf(metric).map((name) => [name, metric] as const)),
)

/** The metrics that an expression reads, and what in it is none of ours, nor one of their labels. */
export function readExpression(expr: string): {
  readonly metrics: readonly string[]
  readonly unknown: readonly string[]
} {
  // What stands behind a colon is a recording of the rules themselves.
  const names = (expr.match(/(?<![\w:])(?:gen_ai|millrace)_\w+/g) ?? []).filter((name) => !labelNames.has(name))
  const selected = Array.from(expr.matchAll(/(?<![\w:])(\w+)\{([^}]*)\}/g), ([, name = '', selector = '']) => {
    const has = new Set(['job', 'instance', 'le', ...(metricOfSeries.get(name)?.labels ?? []).map(prometheusLabel)])
    const asked = Array.from(selector.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g), ([, label = '']) => label)
    return asked.filter((label) => !has.has(label)).map((label) => `${name}{${label}}`)
  })
  return {
    metrics: names.flatMap((name) => metricOfSeries.get(name)?.name ?? []),
    unknown: [...names.filter((name) => !metricOfSeries.has(name)), ...selected.flat()],
  }
}
