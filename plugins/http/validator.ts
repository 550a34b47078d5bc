/* How requests are checked: as they are. Nothing is coerced but whole numbers in a query, which is text by nature. */
import type { FastifySchemaCompiler } from 'fastify'
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { errorsIn } from '../../lib/protocol/validation-problem.ts'

const WHOLE_NUMBER = /^(0|[1-9]\d*)$/

/** Fastify's hook for TypeBox schemas. */
export const validatorCompiler: FastifySchemaCompiler<TSchema & { properties?: Record<string, { type?: string }> }> = ({ schema, httpPart }) => {
  const validator = Compile(schema)
  const numbers = httpPart !== 'querystring' ? [] : Object.entries(schema.properties ?? {}).flatMap(([name, { type }]) => type === 'integer' ? [name] : [])
  return (value: Record<string, unknown>) => {
    for (const name of numbers) {
      const text = value[name]
      if (typeof text === 'string' && WHOLE_NUMBER.test(text)) value[name] = Number(text)
    }
    return validator.Check(value) ? { value } : { error: errorsIn(value, (part) => validator.Errors(part)) as never }
  }
}
