import { readBody } from '../http/read-body.ts'
import type { Exchange } from '../run/services.ts'

/** Reads the JSON of a request's body, as one of the uploads that are allowed at once. @throws ProblemError */
export async function readUpload({ settings, limits, request, caller, runtime }: Exchange): Promise<unknown> {
  // A request without a body waits for nothing, so that a cancel passes however many uploads there are.
  const end = request.body === null ? undefined : limits.uploads.begin(caller)
  try {
    const { bodyLimit, bodyTimeout } = settings
    return await readBody(request, { bodyLimit, bodyTimeout, clock: runtime.clock })
  } finally {
    end?.()
  }
}
