/**
 * Training inside an HTTP service. The event loop stays free: the service answers while the network trains.
 *
 *     node service.js photos/ runs/service [STEPS] [PORT]
 *     curl localhost:8080/            the newest event
 *     curl -X POST localhost:8080/stop   stop after this step, with a checkpoint; started again, it goes on from there
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

import { CaeError, type TrainEvent, trainCAE } from '@cae/torch'

async function main([data = 'photos/', out = 'runs/service', steps = '1000', port = '8080']: string[]): Promise<void> {
  const stop = new AbortController()
  let latest: TrainEvent | undefined

  const server = createServer((request, response) => {
    if (request.method === 'POST' && request.url === '/stop') stop.abort(new Error('stopped by a request'))
    response.setHeader('content-type', 'application/json')
    response.end(`${JSON.stringify(latest ?? { type: 'waiting' })}\n`)
  })
  await new Promise<void>((resolve) => server.listen(Number(port), resolve))
  console.log(`progress at http://localhost:${(server.address() as AddressInfo).port}/`)

  // docker stop and Ctrl-C: the run writes a checkpoint before it ends.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort(new Error(signal)))

  const run = trainCAE({ data, out, model: 'cae-nano', steps: Number(steps), batchSize: 4, resume: 'auto', signal: stop.signal })
  try {
    for await (const event of run) if (event.type !== 'figure') latest = event // a figure carries its picture: not for this page
    const { model, summary } = await run
    console.log(`done: ${summary.checkpoint}`)
    await model.dispose()
  } catch (error) {
    if (stop.signal.aborted) console.log(`stopped: ${stop.signal.reason}`)
    else if (error instanceof CaeError) console.error(`${error.code}: ${error.message}`)
    else throw error
  } finally {
    server.close()
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error)
  process.exitCode = 1
})
