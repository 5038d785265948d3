import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { metricList, type MetricType } from '../src/index.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

/** The cells of the rows of the first table that has `header`. */
function tableAfter(header: string): readonly (readonly string[])[] {
  const lines = readme.slice(readme.indexOf(header)).split('\n')
  const end = lines.findIndex((line) => !line.startsWith('|'))
  return lines.slice(2, end).map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

const namesIn = (cell: string): string[] => Array.from(cell.matchAll(/`([^`]+)`/g), ([, name = '']) => name)

test('documents every metric of the list in the README', () => {
  const types: Readonly<Record<MetricType, string>> = { counter: 'counter', histogram: 'histogram', updown: 'gauge' }
  let labels = ''
  const rows = tableAfter('| OpenTelemetry |').map(([name = '', prometheus = '', type, given = '']) => {
    if (given !== 'the same') labels = given
    const optional = Array.from(labels.matchAll(/\(`([^`]+)`\)/g), ([, label = '']) => label)
    return [namesIn(name), namesIn(prometheus), type, namesIn(labels).toSorted(), optional]
  })
  expect(rows).toEqual(
    metricList.map(({ name, prometheus, type, labels: all, optional }) => [
      [name],
      [prometheus],
      types[type],
      all.toSorted(),
      [...optional],
    ]),
  )
})

test('documents the boundaries in the README', () => {
  const boundaries = new Set(metricList.map((metric) => metric.boundaries?.join(' ')))
  expect(boundaries).toEqual(
    new Set([
      undefined,
      Array.from({ length: 14 }, (_, index) => 2 ** index / 100).join(' '),
      Array.from({ length: 13 }, (_, index) => 2 ** index / 10).join(' '),
    ]),
  )
  expect(readme).toContain('0.01, 0.02, 0.04 … 81.92')
  expect(readme).toContain('0.1, 0.2, 0.4 … 409.6')
})
