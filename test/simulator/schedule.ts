/* One schedule: everything that happens in it follows from its seed. */
import { Answers } from './answers.ts'
import { Database } from './database.ts'
import { strike } from './disasters.ts'
import { judgeEnding } from './endings.ts'
import { Follower } from './follower.ts'
import { Journal, type Violation } from './journal.ts'
import { Ledger } from './ledger.ts'
import { Loop } from './loop.ts'
import { Poster } from './poster.ts'
import { Posts } from './posts.ts'
import { Prng } from './prng.ts'
import { Server } from './server.ts'
import { drawSetting, type Setting } from './setting.ts'
import { standIn } from './stand-ins.ts'
import { Weather } from './weather.ts'
import { windUp } from './winding-up.ts'
import type { World } from './world.ts'

export interface Outcome {
  seed: number
  setting: Setting
  violations: Violation[]
  /** Line by line what happened. */
  trace: string[]
  /** How much there was of it. */
  tasks: number
  events: number
  runs: number
}

/** Plays the schedule of `seed`, with what is `fixed` of its setting. The clock, timers and chance of the process are replaced meanwhile: one at a time. */
export async function simulate (seed: number, { sabotage = (store) => store, fixed = {} }: { sabotage?: World['sabotage'], fixed?: Partial<Setting> } = {}): Promise<Outcome> {
  const prng = new Prng(seed)
  const setting = { ...drawSetting(prng), ...fixed }
  const loop = new Loop(prng.fork())
  const journal = new Journal(loop)
  const restore = standIn(loop, prng.fork())
  const unhandled = (error: unknown): void => journal.violation('unhandled', describe(error))
  process.on('unhandledRejection', unhandled)
  const ledger: Ledger = new Ledger(journal, (run) => judgeEnding(run, world))
  const world: World = {
    prng,
    loop,
    journal,
    setting,
    ledger,
    weather: new Weather(prng, loop, setting),
    database: new Database(setting),
    sabotage,
    performances: new Map(),
    winding: false
  }
  journal.note(JSON.stringify(setting))
  try {
    await loop.run(play(world), () => journal.violations.length > 0)
  } catch (error) {
    journal.violation('schedule', describe(error))
  } finally {
    process.off('unhandledRejection', unhandled)
    world.database.close()
    restore()
  }
  const events = [...ledger.sessions.values()].reduce((sum, log) => sum + log.lastSeq, 0)
  return { seed, setting, violations: journal.violations, trace: journal.lines, tasks: loop.tasks, events, runs: ledger.runs.size }
}

async function play (world: World): Promise<void> {
  const { setting, prng } = world
  const servers = Array.from({ length: setting.servers }, (_, index) => new Server(`server${index + 1}`, world))
  const sessions = Array.from({ length: setting.sessions }, (_, index) => `session-${index + 1}`)
  const followers = Array.from({ length: setting.followers }, (_, index) => new Follower(`follower${index + 1}`, prng.pick(sessions), servers, world))
  const posts = new Posts(world)
  const answers = new Answers(servers, world)
  for (const server of servers) await server.start()
  await Promise.all([
    ...Array.from({ length: setting.posters }, () => new Poster(sessions, servers, posts, answers, world).act(prng.between(1, setting.actions))),
    ...Array.from({ length: setting.approvers }, () => answers.act(prng.between(1, setting.answers))),
    ...followers.map((follower) => follower.act(prng.between(1, setting.connections))),
    strike(servers, world)
  ])
  await windUp(servers, followers, posts, answers, world)
}

function describe (error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error)
}
