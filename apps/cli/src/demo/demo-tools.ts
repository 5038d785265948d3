import { defineTool, type Tool } from '@millrace/core'
import { appendFile, readFile } from 'node:fs/promises'
import { z } from 'zod'
import type { Folder } from '../folder/folder.ts'
import { surveyFolder } from '../folder/survey.ts'
import type { LoopTool } from './legacy-loop.ts'

/** Files that a survey of the demo looks at, so that it takes some seconds and not minutes. */
const surveyLimit = 200

/** The two tools of the demo, for the agent and for the legacy loop, and a record of what they did. */
export interface DemoTools {
  readonly agentTools: readonly Tool[]
  readonly loopTools: readonly LoopTool[]
  /** How many surveys ran. */
  surveys(): number
  /** The lines of the journal, one for each execution of `write_note`. */
  notes(): Promise<readonly string[]>
}

const surveyInput = z.object({ path: z.string().describe('Relative to the folder; "." for all of it.') })
const noteInput = z.object({ note: z.string() })

const surveyDefinition = {
  name: 'survey_folder',
  description: 'Counts the files, lines and bytes of a folder, and how small they compress.',
}
const noteDefinition = { name: 'write_note', description: 'Appends a note to the journal.' }

/** @param journal path of the file that notes are appended to */
export function createDemoTools(folder: Folder, journal: string): DemoTools {
  let surveys = 0

  const survey: (
    path: string,
    options: Pick<Parameters<typeof surveyFolder>[2], 'progress' | 'signal'>,
  ) => Promise<string> = async (path, options) => {
    surveys++
    return JSON.stringify(await surveyFolder(folder, path, { ...options, limit: surveyLimit }))
  }

  async function writeNote(note: string): Promise<string> {
    await appendFile(journal, `${note.replaceAll('\n', ' ')}\n`)
    return 'written'
  }

  return {
    agentTools: [
      defineTool({
        ...surveyDefinition,
        inputSchema: surveyInput,
        readOnly: true,
        run: ({ path }, { progress, signal }) => survey(path, { progress, signal }),
      }),
      defineTool({ ...noteDefinition, inputSchema: noteInput, run: ({ note }) => writeNote(note) }),
    ],
    loopTools: [
      {
        definition: {
          ...surveyDefinition,
          input_schema: { type: 'object', properties: { path: { type: 'string' } }, required: ['path'] },
        },
        call: (input, signal = new AbortController().signal) =>
          survey(surveyInput.parse(input).path, { progress: () => {}, signal }),
      },
      {
        definition: {
          ...noteDefinition,
          input_schema: { type: 'object', properties: { note: { type: 'string' } }, required: ['note'] },
        },
        call: (input) => writeNote(noteInput.parse(input).note),
      },
    ],
    surveys: () => surveys,
    async notes() {
      const text = await readFile(journal, 'utf8').catch(() => '')
      return text.split('\n').filter((line) => line !== '')
    },
  }
}
