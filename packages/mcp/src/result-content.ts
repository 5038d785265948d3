import type { ContentBlock } from '@millrace/core'
import { isRecord } from '@millrace/core/kit'
import { text } from './json.ts'

/** The image types that the Messages API accepts. */
const imageTypes = new Set(['image/gif', 'image/jpeg', 'image/png', 'image/webp'])

function textBlock(content: string): ContentBlock {
  return { type: 'text', text: content }
}

/** Returns a block for base64 content. Content that the API does not accept becomes a note of its type and size. */
function binary(data: string, mediaType: string, what: string): ContentBlock {
  const source = { type: 'base64', media_type: mediaType, data }
  if (imageTypes.has(mediaType)) return { type: 'image', source }
  if (mediaType === 'application/pdf') return { type: 'document', source }
  return textBlock(`[${what} of type ${mediaType}, ${Math.floor((data.length * 3) / 4)} bytes: cannot be shown]`)
}

function resource(given: unknown): ContentBlock {
  if (!isRecord(given)) return textBlock('[resource: cannot be read]')
  const uri = text(given['uri']) ?? 'unknown'
  const content = text(given['text'])
  if (content !== undefined) return textBlock(`Resource ${uri}:\n${content}`)
  const blob = text(given['blob'])
  if (blob === undefined) return textBlock(`[resource ${uri}: empty]`)
  return binary(blob, text(given['mimeType']) ?? 'application/octet-stream', `resource ${uri}`)
}

function link({ uri, name, description }: Readonly<Record<string, unknown>>): ContentBlock {
  const about = text(description)
  return textBlock(`Resource link: ${text(name) ?? ''} <${text(uri) ?? ''}>${about === undefined ? '' : `\n${about}`}`)
}

function block(given: unknown): ContentBlock {
  if (!isRecord(given)) return textBlock(JSON.stringify(given) ?? '')
  switch (given['type']) {
    case 'text':
      return textBlock(text(given['text']) ?? '')
    case 'image':
    case 'audio':
      return binary(text(given['data']) ?? '', text(given['mimeType']) ?? 'application/octet-stream', given['type'])
    case 'resource':
      return resource(given['resource'])
    case 'resource_link':
      return link(given)
    default:
      // A block of a later protocol version. Its JSON tells the model more than leaving it out.
      return textBlock(JSON.stringify(given))
  }
}

/**
 * Converts the result of `tools/call` to content for the model:
 * - text and images stay as they are, a PDF becomes a document
 * - a resource becomes its text under its URI
 * - anything else becomes a note
 *
 * A single text is returned as a string. Empty texts are left out, because the API rejects them. If nothing is left,
 * the result is `structuredContent` as JSON.
 */
export function toResult(result: Readonly<Record<string, unknown>>): string | ContentBlock[] {
  const content = Array.isArray(result['content']) ? result['content'].map(block) : []
  const blocks = content.filter((each) => each.type !== 'text' || each['text'] !== '')
  const [first] = blocks
  if (first === undefined) {
    return result['structuredContent'] === undefined ? '' : JSON.stringify(result['structuredContent'])
  }
  return blocks.length === 1 && first.type === 'text' ? String(first['text']) : blocks
}
