import { mediaTypes, type StreamEncoder } from '@millrace/wire'

/** The one JSON body of a run: heartbeats are white space in front of it, which JSON allows. */
export const resultEncoder: StreamEncoder<object> = {
  headers: {
    'content-type': `${mediaTypes.json}; charset=utf-8`,
    'cache-control': 'no-store, no-transform',
    'x-accel-buffering': 'no',
  },
  open: () => '',
  encode: (bodies) => bodies.map((body) => JSON.stringify(body)).join(''),
  heartbeat: () => '\n',
  close: () => '',
}

/** Returns a response with `body` as JSON. */
export function jsonResponse(body: object, status = 200): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': `${mediaTypes.json}; charset=utf-8`, 'cache-control': 'no-store' },
  })
}
