import { type Conversation, type ContentBlock, text, thinking, toolUse, type Turn } from '@millrace/testing'
import { z } from 'zod'
import type { Survey } from '../folder/survey.ts'

/** The user's question in each run of the demo. */
export const question: string = 'How large is the source in this folder? Leave a note of it in the journal.'

type Found = Pick<Survey, 'bytes' | 'compressed' | 'files' | 'largest' | 'lines' | 'more'>

const survey = z.object({
  files: z.number(),
  more: z.boolean(),
  lines: z.number(),
  bytes: z.number(),
  compressed: z.number(),
  largest: z.array(z.object({ path: z.string(), lines: z.number() })),
})

const firstTurn: Turn = {
  content: [
    thinking(
      'They want to know how large the source is. I should not guess: survey_folder counts it. Then I leave the note.',
    ),
    text('I will count it: every file, its lines and its bytes, and how small it compresses.'),
    toolUse('survey_folder', { path: '.' }),
  ],
}

/** The scripted model. It surveys, writes a note, and sums up. When its answer is asked for again, the wording differs. */
export function demoModel(conversation: Conversation): Turn {
  const [result] = conversation.resultsOf('survey_folder')
  if (result === undefined) return firstTurn
  if (result.isError) return { content: [text(`The folder could not be surveyed: ${result.text}`)] }
  const found = survey.parse(JSON.parse(result.text))
  if (conversation.resultsOf('write_note').length === 0) return noteTurn(found.files, found.lines)
  return { content: [text(conversation.attempt === 2 ? otherWording(found) : finalWording(found))] }
}

function noteTurn(files: number, lines: number): Turn {
  return {
    content: [
      text('The numbers are there. I leave the note before I sum up.'),
      toolUse('write_note', { note: `${files} files, ${lines} lines` }),
    ],
  }
}

/** The model's answer for the results of a survey. */
function finalWording({ files, more, lines, bytes, compressed, largest }: Found): string {
  const share = Math.round((100 * compressed) / Math.max(1, bytes))
  const names = largest.map(({ path, lines }) => `${path} (${lines} lines)`).join(', ')
  return [
    // The survey stops at its limit, and the answer says so.
    `${more ? `I counted the first ${files} files: they have` : `There are ${files} files with`} ${lines} lines in all, that is ${bytes} bytes.`,
    `Compressed, ${share} % of them are left, which is usual for source code.`,
    `The largest are ${names}.`,
    'The note is in the journal, once.',
  ].join(' ')
}

function otherWording(found: Found): string {
  return finalWording(found).replace('Compressed, ', 'Brotli makes them smaller: only ')
}

/** Returns how many events of a turn's stream come before the one with this word (0-based) of a block's text. */
function eventOfWord(content: readonly ContentBlock[], block: number, word: number): number {
  const before = content.slice(0, block).reduce((sum, each) => sum + 2 + deltas(each), 0)
  // Counts `message_start`, `ping`, and the block's own start.
  return 2 + before + 1 + word
}

/** Returns how many deltas a block is sent in: one for each word, signature and start of a tool's input. */
function deltas(block: ContentBlock): number {
  const words = (value: unknown): number =>
    typeof value === 'string' ? (value.match(/\s*\S+|\s+$/gu)?.length ?? 0) : 0
  if (block.type === 'tool_use') return 1 + words(JSON.stringify(block.input))
  return block.type === 'thinking' ? words(block.thinking) + 1 : words(block.text)
}

/** Where the server cuts the streams of the second run. */
export const cuts: readonly { readonly turn: number; readonly event: number; readonly where: string }[] = [
  { turn: 1, event: eventOfWord(firstTurn.content, 1, 8), where: 'in the middle of a sentence' },
  {
    turn: 2,
    // Everything but the end of the message has arrived by then.
    event: eventOfWord([...noteTurn(0, 0).content, text('')], 2, -1),
    where: 'after the call of write_note, before the end of the message',
  },
  { turn: 3, event: 26, where: 'in the answer' },
  { turn: 3, event: 26, where: 'in the answer again, which now has another wording' },
]
