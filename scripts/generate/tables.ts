/* Schemas of the wire → the tables of docs/PROTOCOL.md. */
import { EVENTS } from '../../lib/protocol/schemas/events.ts'
import { FRAMES } from '../../lib/protocol/schemas/frames.ts'
import { CLIENT_MESSAGES } from '../../lib/protocol/schemas/requests.ts'
import { Run, Session } from '../../lib/protocol/schemas/sessions.ts'
import { isOptional, type JsonSchema } from './types.ts'

/** Each table by its name in the document. */
export function tables (): Record<string, string> {
  const frames = Object.entries(FRAMES)
  return {
    events: table(['kind', 'fields', 'meaning'], Object.entries(EVENTS).map(([kind, { kept, description, properties, ...word }]) => [`\`${kind}\`${kept === 'transient' ? ' *(t)*' : ''}`, `${fields(properties)}${'open' in word ? ', …' : ''}`, description])),
    frames: table(['kind', 'fields', 'meaning'], frames.filter(([, frame]) => !('socket' in frame)).map(frameRow)),
    'client messages': table(['type', 'fields', 'answered by'], Object.entries(CLIENT_MESSAGES).map(([type, message]) => {
      const { description = '', properties: { type: _type, ...rest } } = message as JsonSchema & { properties: Record<string, object> }
      return [`\`${type}\``, fields(rest), description]
    })),
    'socket frames': table(['kind', 'fields', 'meaning'], frames.filter(([, frame]) => 'socket' in frame).map(frameRow)),
    session: table(['field', 'type', 'meaning'], rows(Session.properties)),
    run: table(['field', 'type', 'meaning'], rows(Run.properties))
  }
}

/** A document with its tables as they are to be: each stands between `<!-- table: name -->` and `<!-- end -->`. */
export function withTables (document: string): string {
  return Object.entries(tables()).reduce((text, [name, table]) => {
    const begin = `<!-- table: ${name} -->\n`
    const start = text.indexOf(begin)
    if (start === -1) throw new Error(`there is no place for the table "${name}"`)
    return `${text.slice(0, start)}${begin}${table}${text.slice(text.indexOf('<!-- end -->', start))}`
  }, document)
}

function frameRow ([kind, { description, properties }]: [string, { description: string, properties: Record<string, object> }]): string[] {
  return [`\`${kind}\``, fields(properties), description]
}

function rows (properties: Record<string, object>): string[][] {
  return Object.entries(properties).map(([name, schema]) => [`\`${name}\``, shape(schema), (schema as JsonSchema).description ?? ''])
}

function fields (properties: Record<string, object>): string {
  return Object.entries(properties).map(([name, schema]) => {
    const { description } = schema as JsonSchema
    const says = [values(schema), description === undefined ? '' : aside(description)].filter((part) => part !== '').join('; ')
    return `\`${name}${isOptional(schema) ? '?' : ''}\`${says === '' ? '' : ` (${says})`}`
  }).join(', ')
}

/** A sentence as part of another. */
function aside (sentence: string): string {
  return sentence.replace(/\.$/, '').replace(/^[A-Z](?![A-Z])/, (letter) => letter.toLowerCase())
}

/** What a field may be, where that is more than its name says. */
function values (schema: JsonSchema): string {
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${JSON.stringify(value)}\``).join(', ')
  if ('const' in schema) return `\`${JSON.stringify(schema.const)}\``
  const { items, properties, anyOf } = schema
  if (anyOf?.some((one) => one.enum !== undefined) === true) return anyOf.map(values).join(', ')
  if (schema.title === 'Event' || schema.title?.endsWith('Event') === true) return ''
  const inner = properties ?? items?.properties
  if (inner === undefined || items?.title?.endsWith('Event') === true) return ''
  const names = Object.entries(inner).map(([name, one]) => `${name}${isOptional(one) ? '?' : ''}`).join(', ')
  return items === undefined ? `\`{ ${names} }\`` : `\`[{ ${names} }]\``
}

function shape ({ title, type, format, items, anyOf, enum: all, ...rest }: JsonSchema & { format?: string }): string {
  if (title?.endsWith('Event') === true) return 'event'
  if (all !== undefined) return all.map((value) => `\`${JSON.stringify(value)}\``).join(', ')
  if (anyOf !== undefined) return anyOf.map(shape).join(' or ')
  if (items !== undefined) return `list: ${shape(items)}`
  return 'patternProperties' in rest ? 'object' : format === 'date-time' ? 'time' : type ?? 'any'
}

function table (head: string[], rows: string[][]): string {
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`).join('')
}
