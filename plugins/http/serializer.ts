/* How answers are written: as they are. What routes answer with is told by their schemas, and not cut to them. */
import type { FastifySerializerCompiler } from 'fastify'

type Failure = Error & { statusCode: number, code?: string, error: string }

/** Fastify's hook. */
export const serializerCompiler: FastifySerializerCompiler<unknown> = () => (answer: unknown) => JSON.stringify(isFailure(answer) ? shown(answer) : answer)

/** The host's own errors go by our schemas too, as objects of which nothing is enumerable. */
function isFailure (answer: unknown): answer is Failure {
  return answer instanceof Error
}

function shown ({ statusCode, code, error, message }: Failure): object {
  return { statusCode, code, error, message }
}
