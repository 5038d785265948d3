export {
  type InputOf,
  type JsonSchema,
  jsonSchema,
  type JsonSchemaDraft,
  type JsonSchemaOptions,
} from './json-schema.ts'
