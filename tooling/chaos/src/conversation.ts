import { type ScriptedClaude, startClaude, text, toolUse } from '@millrace/testing'

/** What tools a run calls, one in each turn, before it says its last words. */
export const toolNames = ['look_up', 'note', 'charge'] as const
export type ToolName = (typeof toolNames)[number]

/** A model that calls each tool once, in an order that the run's number gives, and then says what it did. */
export function startModel(): Promise<ScriptedClaude> {
  return startClaude({
    script({ turn, messages }) {
      const [question] = messages
      const number = Number(/\d+/.exec(JSON.stringify(question?.content ?? ''))?.[0] ?? 0)
      const name = toolNames[(turn - 1 + number) % toolNames.length]
      if (turn > toolNames.length || name === undefined) {
        return { content: [text(`Run ${number} has looked, noted and charged, and that is all there is to say.`)] }
      }
      return { content: [text(`Step ${turn} of run ${number}. `), toolUse(name, { number })] }
    },
    pace: { eventDelay: 8 },
  })
}
