#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { isRecord } from '@millrace/core/kit'
import { runCommand } from './bin/command.ts'

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

// A pipe into `head` closes early. Without a listener, that would crash the process.
process.stdout.on('error', () => {})
process.stderr.on('error', () => {})

const code = await runCommand(process.argv.slice(2), {
  out: (line) => process.stdout.write(`${line}\n`),
  err: (line) => process.stderr.write(`millrace-parity: ${line}\n`),
  isTerminal: { out: process.stdout.isTTY, err: process.stderr.isTTY },
  status: (text) => process.stderr.write(`\r\u001B[K${text}`),
  version: readVersion,
  env: process.env,
  now: Date.now,
  onSignal(listener) {
    for (const signal of signals) process.on(signal, listener)
    return () => {
      for (const signal of signals) process.off(signal, listener)
    }
  },
  sharesKeyboard: process.stdin.isTTY,
})

process.exitCode = code
// The module of an agent may hold connections open, and would keep the process. What was printed has left by then.
process.stdout.write('', () => process.stderr.write('', () => process.exit()))

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  return isRecord(manifest) ? String(manifest['version']) : ''
}
