#!/usr/bin/env node
import { readFile, writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline/promises'
import { runCommand } from './bin/command.ts'

// A pipe into `head` closes early. Without a listener, that would crash the process.
process.stdout.on('error', () => {})
process.stderr.on('error', () => {})

process.exitCode = await runCommand(process.argv.slice(2), {
  out: (line) => process.stdout.write(`${line}\n`),
  err: (line) => process.stderr.write(`millrace-rollout: ${line}\n`),
  env: process.env,
  readFile: (path) => readFile(path, 'utf8'),
  writeNewFile: (path, text) => writeFile(path, text, { flag: 'wx' }),
  fetch: (url, init) => fetch(url, init),
  async ask(question) {
    const terminal = createInterface({ input: process.stdin, output: process.stderr })
    try {
      return (await terminal.question(question)).trim()
    } finally {
      terminal.close()
    }
  },
})
