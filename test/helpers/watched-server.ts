/* The standalone server in a process of its own, which says how it is when it is asked. */
import { join } from 'node:path'
import type { Test } from 'tap'
import { type ScriptProcess, spawnScript } from './spawn-script.ts'
import { tempDir } from './temp-dir.ts'

export interface Report {
  /** In bytes, before and after a collection. */
  fullRss: number
  rss: number
  heapUsed: number
  connections: number
  /** Open files; 0 where they cannot be counted. */
  fds: number
  /** Lines of the log from `error` on, and what is no line of JSON. */
  complaints: string[]
}

export class WatchedServer {
  readonly script: ScriptProcess
  readonly url: string

  private constructor (script: ScriptProcess, url: string) {
    this.script = script
    this.url = url
  }

  /** Killed with the test. `flags` are the standalone server's. */
  static async start (t: Test, flags: string[] = []): Promise<WatchedServer> {
    const script = spawnScript(t, 'serve-watched.ts', ['--db', join(tempDir(t), 'runs.db'), ...flags], { NODE_OPTIONS: '--expose-gc' })
    return new WatchedServer(script, (await script.line('listening ')).split(' ')[1]!)
  }

  async report (): Promise<Report> {
    const before = this.script.lines.length
    this.script.send('report')
    await this.script.count(before + 1)
    return JSON.parse(this.script.lines[before]!.slice('report '.length)) as Report
  }

  /** The first report in which `enough` holds. */
  async reportOnce (enough: (report: Report) => boolean): Promise<Report> {
    for (;;) {
      const report = await this.report()
      if (enough(report)) return report
    }
  }
}
