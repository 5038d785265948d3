#!/usr/bin/env node
import { randomUUID } from 'node:crypto'
import { runCommand } from './command.ts'
import { describeSystemError } from './system-error.ts'

let outputFailed = false

for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error) => {
    // `| head` closes its end once it has seen enough. The command finishes its work, and its exit code counts.
    if ('code' in error && error.code === 'EPIPE') return
    outputFailed = true
    process.exitCode = 1
    if (stream === process.stdout) process.stderr.write(`millrace-flags: cannot write: ${describeSystemError(error)}\n`)
  })
}

const exitCode = await runCommand(process.argv.slice(2), {
  out: (line) => process.stdout.write(`${line}\n`),
  err: (line) => process.stderr.write(`${line}\n`),
  newId: randomUUID,
})
process.exitCode = outputFailed ? 1 : exitCode
