import { writeFileSync } from 'node:fs'
import { renderSchema } from './render-schema.ts'

writeFileSync(new URL('../schema.json', import.meta.url), `${JSON.stringify(renderSchema(false), undefined, 2)}\n`)
