import type { AgentEvent } from '@millrace/core'
import { Ajv2020 } from 'ajv/dist/2020.js'
import * as fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { eventFields, ndjsonEncoder } from '../src/index.ts'
import { arbitraryEvents } from './arbitrary-events.ts'
import { renderSchema } from './render-schema.ts'

const wire = new Ajv2020().compile(renderSchema(false))
const whole = new Ajv2020().compile(renderSchema(true))

describe('the JSON Schema', () => {
  it('is the one that is published; `pnpm schema` writes it', () => {
    const published: unknown = JSON.parse(readFileSync(new URL('../schema.json', import.meta.url), 'utf8'))
    expect(published).toEqual(renderSchema(false))
  })

  it('holds for every event as it travels, and as it is in the process', () => {
    fc.assert(
      fc.property(arbitraryEvents, fc.boolean(), (events, rawContent) => {
        for (const event of events) expect([whole(event), whole.errors]).toEqual([true, null])
        const lines = ndjsonEncoder({ rawContent }).encode(events).trim().split('\n')
        for (const line of lines) expect([wire(JSON.parse(line)), wire.errors]).toEqual([true, null])
      }),
    )
  })

  it('holds for deltas that follow each other', () => {
    const place = { runId: 'run', at: 1, turn: 1, attempt: 1, block: 0 }
    const events: AgentEvent[] = [
      { type: 'text.delta', ...place, seq: 1, text: 'a' },
      { type: 'text.delta', ...place, seq: 2, text: 'b' },
      { type: 'tool.input', ...place, seq: 3, toolUseId: 'toolu_1', name: 'n', json: '{' },
      { type: 'tool.input', ...place, seq: 4, toolUseId: 'toolu_1', name: 'n', json: '}' },
    ]
    const lines = ndjsonEncoder().encode(events).trim().split('\n')
    expect(lines.map((line) => wire(JSON.parse(line)))).toEqual([true, true, true, true])
    expect(whole({ seq: 2, text: 'b' })).toBe(false)
  })

  it('refuses an event without one of its fields', () => {
    expect(wire({ type: 'text.delta', seq: 1, turn: 1, attempt: 1, block: 0 })).toBe(false)
    expect(whole({ type: 'text.delta', seq: 1, turn: 1, attempt: 1, block: 0, text: 'a' })).toBe(false)
    expect(wire({ type: 'unheard.of' })).toBe(false)
  })
})

describe('docs/events.md', () => {
  const page = readFileSync(new URL('../../../docs/events.md', import.meta.url), 'utf8')
  const rows = new Map(
    [...page.matchAll(/^\| `([\w.]+)` \| (.*?) \|/gm)].map(([, type = '', cell = '']) => [
      type,
      [...cell.matchAll(/`(\w+\??)`/g)].map(([, name = '']) => name),
    ]),
  )

  it('has a row for every event, and no other', () => {
    expect([...rows.keys()].sort()).toEqual(Object.keys(eventFields).sort())
  })

  it.each(Object.entries(eventFields))('lists the fields of %s', (type, fields) => {
    const names = Object.entries(fields).map(([name, field]: [string, string]) =>
      field.endsWith('?') ? `${name}?` : name,
    )
    expect([...(rows.get(type) ?? [])].sort()).toEqual(names.sort())
  })
})
