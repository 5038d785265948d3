import type { ContentBlock } from '@millrace/core'
import { isRecord, text } from './json.ts'

/** What the Messages API takes as an image. */
const imageTypes = new Set(['image/gif', 'image/jpeg', 'image/png', 'image/webp'])

function textBlock(content: string): ContentBlock {
  return { type: 'text', text: content }
}

/** Base64 content of a kind that the model can look at; else a note of what there was. */
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
      // A kind of a later protocol: its JSON says more than nothing.
      return textBlock(JSON.stringify(given))
  }
}

/**
 * The result of `tools/call` as the model is told it: text and images as they are, PDF as a document, resources as their
 * text under their address, anything else as a note. One text alone is given as a string. Empty texts, which the API
 * refuses, are left out; where nothing is left, `structuredContent` stands in.
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
