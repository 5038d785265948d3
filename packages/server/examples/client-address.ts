import type { HandlerOptions } from '@millrace/server'

// #region client-address
// nginx: proxy_set_header X-Real-IP $remote_addr;
const clientAddress: HandlerOptions['clientAddress'] = (request) => request.headers.get('x-real-ip') ?? undefined
// #endregion client-address

export { clientAddress }
