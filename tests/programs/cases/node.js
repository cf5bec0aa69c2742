//: about: node: workers, child_process, an http server and client, fs promises, timers, streams, signals
//: needs: node
//: timeout: 120
//: quick: 2
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads')
const { spawn, execFile, fork, spawnSync } = require('child_process')
const http = require('http'), fs = require('fs'), os = require('os'), zlib = require('zlib')
const crypto = require('crypto'), { once } = require('events'), { pipeline } = require('stream/promises')

if (process.argv[2] === 'child') {
  process.on('message', m => { process.send(m * 2); process.disconnect() })
} else if (!isMainThread) {
  let hash = String(workerData)
  for (let i = 0; i < 2000; i++) hash = crypto.createHash('sha256').update(hash).digest('hex')
  parentPort.postMessage(hash.slice(0, 8))
} else main()

async function main () {
  const workers = [1, 2, 3, 4].map(n => new Worker(__filename, { workerData: n }))
  console.log((await Promise.all(workers.map(w => once(w, 'message')))).join())
  const shared = new Int32Array(new SharedArrayBuffer(8))
  const adders = [0, 1].map(() => new Worker(`const { workerData } = require('worker_threads')
    for (let i = 0; i < 10000; i++) Atomics.add(workerData, 0, 1)`, { eval: true, workerData: shared }))
  await Promise.all(adders.map(w => once(w, 'exit')))
  console.log('shared', shared[0])
  const child = spawn('sort', ['-n'])
  child.stdin.end('3\n1\n2\n')
  let text = ''
  for await (const chunk of child.stdout) text += chunk
  console.log(JSON.stringify(text), child.exitCode ?? (await once(child, 'exit'))[0])
  execFile('/nonexistent', e => console.log(e.code))
  console.log(spawnSync('sh', ['-c', 'kill -9 $$']).signal, spawnSync('sh', ['-c', 'exit 7']).status)
  const forked = fork(__filename, ['child'])
  forked.send(21)
  console.log('from the child', (await once(forked, 'message'))[0], (await once(forked, 'exit'))[0])
  const server = http.createServer((q, r) => {
    let body = ''
    q.on('data', d => { body += d }).on('end', () => r.end(q.url + body.length))
  })
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  const get = n => new Promise((resolve, reject) => {
    const q = http.request({ port: server.address().port, host: '127.0.0.1', method: 'POST', path: `/${n}` }, r => {
      let body = ''
      r.on('data', d => { body += d }).on('end', () => resolve(body))
    }).on('error', reject)
    q.end('x'.repeat(n * 1000))
  })
  console.log((await Promise.all([...Array(20).keys()].map(get))).join())
  server.close()
  server.closeAllConnections()
  await fs.promises.mkdir('d/e', { recursive: true })
  await Promise.all([...Array(50).keys()].map(n => fs.promises.writeFile(`d/e/${n}`, `file ${n}`)))
  console.log((await fs.promises.readdir('d/e')).length, (await fs.promises.stat('d/e/49')).size)
  await pipeline(fs.createReadStream('/usr/bin/env'), zlib.createGzip(), zlib.createGunzip(), fs.createWriteStream('copy'))
  console.log(fs.readFileSync('copy').equals(fs.readFileSync('/usr/bin/env')))
  console.log(zlib.brotliDecompressSync(zlib.brotliCompressSync('b'.repeat(10000))).length)
  console.log(crypto.pbkdf2Sync('a', 'b', 1000, 8, 'sha1').toString('hex'))
  await new Promise(resolve => crypto.scrypt('a', 'b', 8, (e, key) => resolve(console.log(key.toString('hex')))))
  const order = []
  setTimeout(() => order.push('timeout'), 20)
  setImmediate(() => order.push('immediate'))
  process.nextTick(() => order.push('tick'))
  Promise.resolve().then(() => order.push('promise'))
  await new Promise(resolve => setTimeout(resolve, 60))
  console.log(order.join())
  process.on('SIGUSR2', () => order.push('signal'))
  process.kill(process.pid, 'SIGUSR2')
  while (!order.includes('signal')) await new Promise(resolve => setImmediate(resolve))
  const garbage = []
  for (let i = 0; i < 300000; i++) garbage[i % 1000] = { i, s: 'x'.repeat(i % 50) }
  console.log(garbage.length, os.EOL.length, process.uptime() > 0, process.memoryUsage().rss > 0)
  const f = new Function('n', 'return n < 2 ? n : this.f(n - 1) + this.f(n - 2)')
  console.log({ f }.f(20), new Intl.NumberFormat('en').format(1234567), 'é'.normalize('NFD').length)
  const wasm = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1, 96, 2, 127, 127, 1,
    127, 3, 2, 1, 0, 7, 7, 1, 3, 97, 100, 100, 0, 0, 10, 9, 1, 7, 0, 32, 0, 32, 1, 106, 11])))
  console.log('wasm', wasm.exports.add(40, 2))
  try { null.x } catch (e) { console.log(e.constructor.name) }
  process.exitCode = 5
  process.on('exit', c => console.log('exit', c))
}
