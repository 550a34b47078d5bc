/* The OpenAPI document in the form that generators of clients read best. */
import type { SwaggerTransformObject } from '@fastify/swagger'

type Json = Record<string, unknown>

/**
 * Writes each schema that has a title once, below `components`; and says of bodies that may be null that they may be left
 * out, which is what Fastify takes null for.
 */
export const tidyDocument: SwaggerTransformObject = (document) => {
  if (!('openapiObject' in document)) return document.swaggerObject
  const { openapiObject } = document
  const schemas: Json = {}
  const paths = tidied(openapiObject.paths, schemas)
  return { ...openapiObject, paths, components: { ...openapiObject.components, schemas } } as typeof openapiObject
}

/** A copy of a part of the document, whose titled schemas are in `schemas`. */
function tidied (part: unknown, schemas: Json): unknown {
  if (typeof part !== 'object' || part === null) return part
  if (Array.isArray(part)) return part.map((each) => tidied(each, schemas))
  const copy: Json = Object.fromEntries(Object.entries(part).map(([name, value]) => [name, tidied(value, schemas)]))
  if (isNullableBody(copy)) copy['required'] = false
  const { title } = copy
  if (typeof title !== 'string' || !('type' in copy || 'anyOf' in copy)) return copy
  // Another schema of the same title stays where it is.
  const isShared = JSON.stringify(schemas[title] ??= copy) === JSON.stringify(copy)
  return isShared ? { $ref: `#/components/schemas/${title}` } : copy
}

function isNullableBody ({ required, content }: Json): boolean {
  if (required !== true || content === undefined) return false
  return Object.values(content as Record<string, { schema?: { anyOf?: Array<{ type?: string }> } }>).some(({ schema }) => schema?.anyOf?.some(({ type }) => type === 'null'))
}
