import { metricList } from '@millrace/telemetry'
import { expect, test } from 'vitest'
import {
  alertRules,
  alertTests,
  dashboard,
  guide,
  guideBlocks,
  panelQueries,
  readExpression,
  rules,
  seriesOf,
} from './support/monitoring-files.ts'

const names = metricList.map(({ name }) => name)

test('the expressions of dashboard, alerts and guide read metrics that exist, by labels that they have', () => {
  const all = [...panelQueries.map(([, expr]) => expr), ...rules.map(({ expr }) => expr), ...guideBlocks('promql')]
  expect(all.flatMap((expr) => readExpression(expr).metrics).length).toBeGreaterThan(all.length)
  for (const expr of all) expect(readExpression(expr).unknown, expr).toEqual([])
})

test('a metric or a label that does not exist is seen', () => {
  expect(readExpression('sum by (arm) (rate(millrace_run_total[5m]))').unknown).toEqual(['millrace_run_total'])
  expect(readExpression('millrace_errors_total{mode="stream",model="x"}').unknown).toEqual([
    'millrace_errors_total{model}',
  ])
  expect(readExpression('gen_ai_execute_tool_duration_seconds{mode="stream"}').unknown).not.toEqual([])
})

test('every metric is on the dashboard', () => {
  const shown = new Set(panelQueries.flatMap(([, expr]) => readExpression(expr).metrics))
  expect(names.filter((name) => !shown.has(name))).toEqual([])
})

test('every metric and label that the guide names exists', () => {
  const known = new Set([
    ...names,
    ...metricList.flatMap((metric) => [metric.prometheus, ...seriesOf(metric)]),
    ...metricList.flatMap(({ labels }) => labels.flatMap((label) => [label, label.replaceAll('.', '_')])),
  ])
  const prose = guide.replaceAll(/^```[\s\S]*?^```$/gm, '')
  const named = prose.match(/\b(?:millrace|gen_ai)[._][\w.]*\w/g) ?? []
  expect(named.length).toBeGreaterThan(0)
  expect(named.filter((name) => !known.has(name))).toEqual([])
})

test('the guide says of every alert what to do', () => {
  const anchors = Array.from(guide.matchAll(/^#+ (.+)$/gm), ([, heading = '']) =>
    heading.toLowerCase().replaceAll(' ', '-'),
  )
  for (const { alert, annotations } of alertRules) {
    const [page, anchor = ''] = (annotations['runbook'] ?? '').split('#')
    expect(page, alert).toBe('docs/guides/monitoring.md')
    expect(anchors, alert).toContain(anchor)
  }
})

test('every alert has a test in which it fires', () => {
  const fires = alertTests.tests.flatMap(({ alert_rule_test: cases = [] }) =>
    cases.filter(({ exp_alerts: alerts }) => alerts.length > 0).map(({ alertname }) => alertname),
  )
  expect([...new Set(fires)].sort()).toEqual(alertRules.map(({ alert }) => alert).sort())
})

test('the dashboard uses variables that it has, and one data source', () => {
  const variables = new Set([...dashboard.templating.list.map(({ name }) => name), '__range', '__rate_interval'])
  for (const [title, expr] of panelQueries) {
    const used = Array.from(expr.matchAll(/\$(\w+)/g), ([, name = '']) => name)
    expect(
      used.filter((name) => !variables.has(name)),
      title,
    ).toEqual([])
  }
  const sources = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ datasource }) => datasource.uid))
  expect(new Set(sources)).toEqual(new Set(['${datasource}']))
})

test('the panels of the dashboard have a place of their own, an id and a description', () => {
  const taken = new Set<string>()
  for (const { id, title, type, description = '', gridPos } of dashboard.panels) {
    expect(type === 'row' || description !== '', title).toBe(true)
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        expect(taken, `${title} at ${x}, ${y}`).not.toContain(`${x},${y}`)
        taken.add(`${x},${y}`)
      }
    }
    expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24)
    expect(taken, `the id of ${title}`).not.toContain(`id ${id}`)
    taken.add(`id ${id}`)
  }
})
