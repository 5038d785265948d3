import { hasMethod, isObject } from '@millrace/core/kit'

/** What is needed of a Response, whichever realm or package its class is from. */
interface ResponseLike {
  readonly status: number
  readonly headers: Iterable<readonly [string, string]>
  readonly body: { getReader(): ReadableStreamDefaultReader<Uint8Array> } | null
  readonly bodyUsed: boolean
}

/**
 * Returns a Response of this realm that answers as `value` does, or undefined where `value` is no Response. It is
 * recognised by its shape: `instanceof` fails where the global was replaced, as Hono does on Node, and for other packages.
 *
 * @throws TypeError, RangeError where it cannot be sent
 */
export function toOwnResponse(value: unknown): Response | undefined {
  if (!isResponseLike(value)) return undefined
  const { status, body } = value
  // Of `Response.error()` the status is 0. Not every class that stands for Response refuses such a status itself.
  if (!(status >= 200 && status <= 599)) throw new RangeError(`its status is ${status}, not one from 200 to 599`)
  const headers = new Headers([...value.headers].map(([name, text]): [string, string] => [name, text]))
  for (const [name, text] of headers) {
    // The Fetch API lets control characters pass; node:http throws for them once the answer is sent.
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(text)) throw new TypeError(`the header "${name}" has a control character`)
  }
  if (value.bodyUsed) throw new TypeError('its body has been sent already: make a new Response for each request')
  return new Response(body === null ? null : readOn(body.getReader()), { status, headers })
}

/** Reads on in a stream of this realm. */
function readOn(reader: ReadableStreamDefaultReader<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await reader.read()
        if (done) controller.close()
        else controller.enqueue(value)
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
}

function isResponseLike(value: unknown): value is ResponseLike {
  if (!isObject(value)) return false
  const headers: unknown = Reflect.get(value, 'headers')
  const body: unknown = Reflect.get(value, 'body')
  return (
    typeof Reflect.get(value, 'status') === 'number' &&
    typeof Reflect.get(value, 'bodyUsed') === 'boolean' &&
    hasMethod(headers, Symbol.iterator) &&
    (body === null || hasMethod(body, 'getReader'))
  )
}
