/**
 * The answers that OFREP's OpenAPI 0.3.0 describes for a bulk evaluation, as JSON Schema: `bulkEvaluationSuccess`, whose flags are
 * `evaluationSuccess` or `evaluationFailure`.
 */
export const bulkAnswerSchema: object = {
  type: 'object',
  required: ['flags'],
  properties: {
    flags: {
      type: 'array',
      items: {
        anyOf: [
          {
            type: 'object',
            required: ['key', 'errorCode'],
            properties: {
              key: { type: 'string' },
              errorCode: { enum: ['PARSE_ERROR', 'TARGETING_KEY_MISSING', 'INVALID_CONTEXT', 'GENERAL'] },
              errorDetails: { type: 'string' },
            },
          },
          {
            type: 'object',
            not: { required: ['errorCode'] },
            required: ['key'],
            properties: {
              key: { type: 'string' },
              reason: { type: 'string' },
              variant: { type: 'string' },
              metadata: { type: 'object', additionalProperties: { type: ['boolean', 'string', 'number'] } },
              value: { type: ['boolean', 'string', 'number', 'object'] },
            },
          },
        ],
      },
    },
  },
}

/** What is posted: `bulkEvaluationRequest`. */
export const bulkRequestSchema: object = {
  type: 'object',
  required: ['context'],
  properties: { context: { type: 'object' } },
}
