import { defineTool, type Tool } from '@millrace/core'
import { jsonSchema } from '@millrace/json-schema'
import { bashTool } from './bash.ts'
import { createTool, editTool, textEditorTool, viewTool } from './editor-tools.ts'
import { search } from './search.ts'
import { readOptions, type WorkspaceOptions, type WorkspaceSettings } from './settings.ts'

function searchTool(settings: WorkspaceSettings): Tool {
  return defineTool({
    name: 'search',
    description: 'Finds lines in the text files of the workspace. Returns path:line: text for each.',
    readOnly: true,
    inputSchema: jsonSchema({
      type: 'object',
      required: ['pattern'],
      additionalProperties: false,
      properties: {
        pattern: {
          type: 'string',
          minLength: 1,
          description: 'A JavaScript regular expression, matched line by line',
        },
        path: { type: 'string', description: 'A folder or file to search in. Default: the workspace' },
        glob: { type: 'string', description: 'Only files that match, such as *.ts or src/**/*.{css,html}' },
        literal: { type: 'boolean', description: 'Search for the pattern as plain text. Default: false' },
        ignore_case: { type: 'boolean', description: 'Default: false' },
      },
    }),
    run: (input, { signal, progress }) => search(input, { signal, progress }, settings),
  })
}

function editorTools(settings: WorkspaceSettings): Tool[] {
  if (settings.editor === 'claude') return [textEditorTool(settings)]
  return settings.readOnly ? [viewTool(settings)] : [viewTool(settings), editTool(settings), createTool(settings)]
}

/**
 * Makes the tools that a coding agent needs, for one folder: view, edit, create, search, and `bash` if you ask for it. File
 * tools cannot leave the folder. `bash` can do whatever this process can.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`
 */
export function workspaceTools(options: WorkspaceOptions): Tool[] {
  const settings = readOptions(options)
  const { bash } = settings
  return [...editorTools(settings), searchTool(settings), ...(bash === undefined ? [] : [bashTool(settings, bash)])]
}
