//: about: node: a worker, promises on the thread pool, timers, an http server talked to by itself, an open file
//: needs: node
const { Worker, isMainThread, parentPort } = require('worker_threads')
const crypto = require('crypto'), fs = require('fs'), http = require('http'), { once } = require('events')

if (!isMainThread) {
  let hash = 'worker'
  for (let i = 0; i < 500000; i++) hash = crypto.createHash('sha256').update(hash).digest('hex')
  parentPort.postMessage(hash)
} else main()

async function main () {
  console.log('begun')
  const worker = new Worker(__filename)
  const answer = once(worker, 'message')
  const journal = await fs.promises.open('journal', 'w+')
  const server = http.createServer((q, r) => r.end(q.url))
  await new Promise(resolve => server.listen('sock', resolve))
  const get = path => new Promise((resolve, reject) => http.get({ socketPath: 'sock', path }, r => {
    let body = ''
    r.on('data', d => { body += d }).on('end', () => resolve(body))
  }).on('error', reject))
  const all = crypto.createHash('sha256')
  for (let i = 0; i < 120; i++) {
    await new Promise(resolve => setTimeout(resolve, 10))
    const keys = await Promise.all([1, 2, 3, 4].map(n => new Promise((resolve, reject) =>
      crypto.pbkdf2('secret', `${i}.${n}`, 4000, 16, 'sha256', (e, key) => e ? reject(e) : resolve(key)))))
    keys.forEach(key => all.update(key))
    await journal.write(`${i}\n`)
    all.update(await get(`/${i}`))
  }
  console.log((await answer)[0])
  console.log(all.digest('hex'), (await journal.stat()).size)
  await journal.close()
  server.close()
  process.exitCode = 8
}
