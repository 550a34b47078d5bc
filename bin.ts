#!/usr/bin/env node
/* Until 1.0: where the server went that this bin used to be. */
process.stderr.write('The server is a package of its own: npx fastify-agent-runs-server\n')
process.exitCode = 1
