import Type from 'typebox'
import { runsError } from '../../lib/errors.ts'
import type { Dialect } from './dialect.ts'

export function aiSdkDialect (): Dialect {
  return {
    headers: {},
    body: Type.Object({}),
    read: () => { throw runsError('INVALID_REQUEST', ['TODO']) },
    encoder: () => ({ begin: () => '', skip: () => {}, encode: () => '', paused: false, broken: () => '' })
  }
}
