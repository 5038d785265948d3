import { type AgentEvent, type Fallback, type ToolFinished, type ToolProgressed } from '@millrace/core'
import { estimateOf } from '@millrace/tool-progress'
import { shorten } from './look.ts'
import type { Screen } from './screen.ts'
import { createTurnText } from './turn-text.ts'

/** Shows the events of runs on a screen as they come. */
export interface RunPrinter {
  see(event: AgentEvent): void
}

/** Shows text as it is, thinking set off from it, tools with their progress, and everything that went wrong. */
export function createRunPrinter(screen: Screen): RunPrinter {
  const text = createTurnText(screen)
  const labels = new Map<string, string>()
  let turn = 0

  return {
    see(event) {
      switch (event.type) {
        case 'turn.started':
          if (event.turn !== turn) text.end()
          turn = event.turn
          break
        case 'block.started':
        case 'text.delta':
        case 'thinking.delta':
        case 'tool.input':
        case 'block.finished':
        case 'turn.retracted':
          if (event.turn === turn) text.see(event)
          break
        case 'tool.started': {
          text.end()
          const label = `${event.name} ${shorten(JSON.stringify(event.input), 60)}`
          labels.set(event.toolUseId, label)
          if (!screen.live) screen.line(`> ${label}`)
          screen.progress(event.toolUseId, { label })
          break
        }
        case 'tool.progress':
          screen.progress(event.toolUseId, progressOf(event, screen.live ? labels.get(event.toolUseId) : undefined))
          break
        case 'tool.finished': {
          screen.progress(event.toolUseId, undefined)
          const label = labels.get(event.toolUseId) ?? event.name
          labels.delete(event.toolUseId)
          screen.line(`${event.outcome === 'ok' ? '✓' : '✗'} ${label}`, event.outcome === 'ok' ? 'good' : 'bad')
          screen.line(`  ${describeResult(event)}`, 'dim')
          break
        }
        case 'fallback':
          screen.notice(describeFallback(event), 'notice')
          break
        case 'turn.finished':
        case 'run.finished':
          text.end()
          break
        case 'run.started':
        case 'run.moving':
        case 'run.resumed':
          break
      }
    },
  }
}

function progressOf(
  { name, progress, total, message, data }: ToolProgressed,
  label = name,
): Parameters<Screen['progress']>[1] {
  return { label, done: progress, total, message, leftMs: estimateOf(data)?.etaMs }
}

function describeResult({ outcome, result, durationMs, reused }: ToolFinished): string {
  const text = typeof result === 'string' ? result : JSON.stringify(result)
  const how = reused === true ? 'answered before' : `${(durationMs / 1000).toFixed(1)} s`
  return `${outcome === 'ok' ? '' : `${outcome}, `}${how}: ${shorten(text, 64)}`
}

const ways: Readonly<Record<Fallback['to'], string>> = {
  stream: 'asking again, streaming',
  buffered: 'asking again, without streaming',
  legacy: 'the legacy loop takes over',
  salvage: 'keeping what arrived whole, and running its tools',
  continue: 'keeping what is shown, and the model continues from there',
}

function describeFallback({ turn, from, to, reason, stage }: Fallback): string {
  const when = stage === 'after_output' ? 'after output was shown' : 'before output was shown'
  return `[turn ${turn}: ${from} failed ${when} (${reason}): ${ways[to]}]`
}
