import type { ContentBlock } from '@millrace/core'

/** An image or a PDF, by data URL or web address, as a content block; nothing for what the API does not take. */
export function fileBlock(mediaType: unknown, url: unknown): readonly ContentBlock[] {
  if (typeof mediaType !== 'string' || typeof url !== 'string') return []
  const type = mediaType.startsWith('image/') ? 'image' : mediaType === 'application/pdf' ? 'document' : undefined
  if (type === undefined) return []
  const source = sourceOf(mediaType, url)
  return source ? [{ type, source }] : []
}

function sourceOf(mediaType: string, url: string): object | undefined {
  if (/^https?:\/\//.test(url)) return { type: 'url', url }
  const comma = url.indexOf(',')
  if (!url.startsWith('data:') || !url.slice(0, comma).endsWith(';base64')) return undefined
  return { type: 'base64', media_type: mediaType, data: url.slice(comma + 1) }
}
