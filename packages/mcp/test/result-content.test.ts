import { expect, test } from 'vitest'
import { toResult } from '../src/result-content.ts'

const png = { type: 'image', data: 'AAAA', mimeType: 'image/png' }

test.each([
  ['one text', [{ type: 'text', text: 'a' }], 'a'],
  [
    'texts',
    [
      { type: 'text', text: 'a' },
      { type: 'text', text: '' },
      { type: 'text', text: 'b' },
    ],
    [
      { type: 'text', text: 'a' },
      { type: 'text', text: 'b' },
    ],
  ],
  ['an image', [png], [{ type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } }]],
  [
    'an image of another type',
    [{ ...png, mimeType: 'image/tiff' }],
    '[image of type image/tiff, 3 bytes: cannot be shown]',
  ],
  [
    'audio',
    [{ type: 'audio', data: 'AAAA', mimeType: 'audio/wav' }],
    '[audio of type audio/wav, 3 bytes: cannot be shown]',
  ],
  ['a text resource', [{ type: 'resource', resource: { uri: 'a://b', text: 'c' } }], 'Resource a://b:\nc'],
  [
    'a PDF',
    [{ type: 'resource', resource: { uri: 'a://b', blob: 'AAAA', mimeType: 'application/pdf' } }],
    [{ type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: 'AAAA' } }],
  ],
  [
    'bytes',
    [{ type: 'resource', resource: { uri: 'a://b', blob: 'AAAA' } }],
    '[resource a://b of type application/octet-stream, 3 bytes: cannot be shown]',
  ],
  ['a link', [{ type: 'resource_link', uri: 'a://b', name: 'n', description: 'd' }], 'Resource link: n <a://b>\nd'],
  ['a block of an unknown type', [{ type: 'hologram', data: 1 }], '{"type":"hologram","data":1}'],
  [
    'nonsense',
    ['text', null],
    [
      { type: 'text', text: '"text"' },
      { type: 'text', text: 'null' },
    ],
  ],
])('converts %s', (_name, content, expected) => {
  expect(toResult({ content })).toEqual(expected)
})

test('falls back to structured content when there is no other', () => {
  expect(toResult({ content: [], structuredContent: { a: 1 } })).toBe('{"a":1}')
  expect(toResult({ content: [{ type: 'text', text: 'a' }], structuredContent: { a: 1 } })).toBe('a')
  expect(toResult({})).toBe('')
})
