#!/usr/bin/env node
import { randomUUID } from 'node:crypto'
import { runCommand } from './command.ts'

process.exitCode = await runCommand(process.argv.slice(2), {
  out: (line) => process.stdout.write(`${line}\n`),
  err: (line) => process.stderr.write(`${line}\n`),
  newId: randomUUID,
})
