import { defineTool, type InputResult, type Tool, ToolError } from '@millrace/core'
import { jsonSchema } from '@millrace/json-schema'
import { create, edit, insert } from './change.ts'
import type { WorkspaceSettings } from './settings.ts'
import { view } from './view.ts'

const path = { type: 'string', description: 'Relative to the workspace, such as src/main.ts' } as const
const range = { type: 'array', items: { type: 'integer' }, minItems: 2, maxItems: 2 } as const

/** Makes the tool `view`. */
export function viewTool(settings: WorkspaceSettings): Tool {
  return defineTool({
    name: 'view',
    description: 'Shows a text file with line numbers, or the contents of a folder, two levels deep.',
    readOnly: true,
    inputSchema: jsonSchema({
      type: 'object',
      required: ['path'],
      additionalProperties: false,
      properties: {
        path,
        view_range: { ...range, description: 'First and last line, from 1; -1 as the last is the end of the file' },
      },
    }),
    run: (input) => view(input, settings),
  })
}

/** Makes the tool `edit`. */
export function editTool(settings: WorkspaceSettings): Tool {
  return defineTool({
    name: 'edit',
    description: 'Replaces text in a file. old_str must match exactly one place, unless replace_all is set.',
    inputSchema: jsonSchema({
      type: 'object',
      required: ['path', 'old_str', 'new_str'],
      additionalProperties: false,
      properties: {
        path,
        old_str: { type: 'string', description: 'The text to replace, exactly as it is in the file' },
        new_str: { type: 'string', description: 'The text to put in its place; empty to delete it' },
        replace_all: { type: 'boolean', description: 'Replace every place. Default: false' },
      },
    }),
    run: (input) => edit(input, settings),
  })
}

/** Makes the tool `create`. */
export function createTool(settings: WorkspaceSettings): Tool {
  return defineTool({
    name: 'create',
    description: 'Writes a text file, and creates missing folders. An existing file is only replaced with overwrite.',
    inputSchema: jsonSchema({
      type: 'object',
      required: ['path', 'file_text'],
      additionalProperties: false,
      properties: {
        path,
        file_text: { type: 'string', description: 'The whole text' },
        overwrite: { type: 'boolean', description: 'Replace an existing file. Default: false' },
      },
    }),
    run: (input) => create(input, settings),
  })
}

/** The commands of Claude's own text editor, each with its input. */
const commands = {
  view: jsonSchema({
    type: 'object',
    required: ['command', 'path'],
    properties: { command: { const: 'view' }, path, view_range: range },
  }),
  str_replace: jsonSchema({
    type: 'object',
    required: ['command', 'path', 'old_str'],
    properties: {
      command: { const: 'str_replace' },
      path,
      old_str: { type: 'string' },
      new_str: { type: 'string' },
    },
  }),
  create: jsonSchema({
    type: 'object',
    required: ['command', 'path', 'file_text'],
    properties: { command: { const: 'create' }, path, file_text: { type: 'string' } },
  }),
  insert: jsonSchema({
    type: 'object',
    required: ['command', 'path', 'insert_line', 'insert_text'],
    properties: {
      command: { const: 'insert' },
      path,
      insert_line: { type: 'integer' },
      insert_text: { type: 'string' },
    },
  }),
} as const

const anyCommand = jsonSchema({
  type: 'object',
  required: ['command'],
  properties: { command: { enum: ['view', 'str_replace', 'create', 'insert'] } },
})

type CommandResult = ReturnType<(typeof commands)[keyof typeof commands]['validate']>
type CommandInput = Extract<CommandResult, { readonly value: unknown }>['value']

/** Validates the command first and then its input, so that the model is told what is wrong with this command. */
function validateCommand(input: unknown): InputResult<CommandInput> {
  const given = anyCommand.validate(input)
  return given.issues === undefined ? commands[given.value.command].validate(input) : given
}

/** Makes Claude's own text editor. With `readOnly`, every command but `view` is refused. */
export function textEditorTool(settings: WorkspaceSettings): Tool {
  const { readOnly } = settings
  return defineTool({
    name: 'str_replace_based_edit_tool',
    description: 'Shows and changes text files.',
    definition: { type: 'text_editor_20250728' },
    readOnly,
    inputSchema: { jsonSchema: anyCommand.jsonSchema, validate: validateCommand },
    async run(input) {
      if (readOnly && input.command !== 'view') throw new ToolError('The workspace is read-only: only view is allowed.')
      switch (input.command) {
        case 'view':
          return view(input, settings)
        case 'str_replace':
          return edit({ path: input.path, old_str: input.old_str, new_str: input.new_str ?? '' }, settings)
        case 'create':
          // As Claude knows the command: it also replaces an existing file.
          return create({ path: input.path, file_text: input.file_text, overwrite: true }, settings)
        case 'insert':
          return insert(input, settings)
      }
    },
  })
}
