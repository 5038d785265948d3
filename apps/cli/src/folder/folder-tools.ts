import { defineTool, type Tool } from '@millrace/core'
import { z } from 'zod'
import type { Folder } from './folder.ts'
import { surveyFolder } from './survey.ts'

const longestList = 500
const largestText = 200_000

const path = z.string().describe('Relative to the folder. Default: the whole folder.').optional()

/** Returns tools that list a folder, read its text files and survey it. None of them changes anything. */
export function folderTools(folder: Folder): readonly Tool[] {
  return [
    defineTool({
      name: 'list_files',
      description: 'Lists the files of the folder, or of a folder in it.',
      inputSchema: z.object({ path }),
      readOnly: true,
      async run({ path = '.' }, { signal }) {
        const files = await folder.list(path, { limit: longestList + 1, signal })
        const rest = files.length > longestList ? '\n… and more: list a folder in it' : ''
        return files.slice(0, longestList).join('\n') + rest
      },
    }),
    defineTool({
      name: 'read_file',
      description: 'Reads a text file of the folder.',
      inputSchema: z.object({ path: z.string().describe('Relative to the folder.') }),
      readOnly: true,
      async run({ path }, { signal }) {
        const content = await folder.read(path, { limit: largestText, signal })
        if (content.includes(0)) throw new Error(`"${path}" is not a text file`)
        return content.toString('utf8')
      },
    }),
    defineTool({
      name: 'survey_folder',
      description:
        'Surveys the folder: counts files, lines and bytes, finds the largest, and measures how small they compress.',
      inputSchema: z.object({ path }),
      readOnly: true,
      timeout: 600_000,
      run: ({ path = '.' }, { progress, signal }) => surveyFolder(folder, path, { progress, signal }),
    }),
  ]
}
