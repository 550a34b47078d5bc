/* What befalls servers and their database. */
import type { Server } from './server.ts'
import type { World } from './world.ts'

export async function strike (servers: Server[], world: World): Promise<void> {
  const { loop, prng, weather, journal, setting } = world
  for (let left = setting.disasters; left > 0; left--) {
    await loop.sleep(prng.between(1, 3_000))
    const server = prng.pick(servers)
    const ms = prng.pick(setting.disasterMs)
    const kind = prng.weighted(setting.kinds)
    journal.note(`disaster: ${kind}`)
    if (kind === 'outage') weather.outage(ms, prng.chance(0.5))
    else if (kind === 'gust') weather.gust(ms)
    else if (kind === 'crash') server.crash()
    else await server.shutDown()
    while (server.life === null && prng.chance(0.9)) {
      await loop.sleep(prng.between(1, prng.chance(0.3) ? 6_000 : 200))
      await server.start()
    }
  }
}
