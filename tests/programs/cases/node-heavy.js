//: about: node: workers that compress and hash, many files, children and hashes all at once
//: quick: 0
//: needs: node
//: timeout: 120
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads')
const { fork, execFile } = require('child_process'), { once } = require('events')
const { promisify } = require('util'), zlib = require('zlib'), crypto = require('crypto'), fs = require('fs').promises

const text = n => Buffer.from(Array.from({ length: 20000 }, (_, i) => `${n} ${i * n % 97}\n`).join(''))
const digest = data => crypto.createHash('sha256').update(data).digest('hex').slice(0, 12)

if (process.argv[2] === 'child') {
  process.on('message', n => { process.send(digest(text(n))); process.disconnect() })
} else if (!isMainThread) {
  const packed = zlib.gzipSync(text(workerData))
  parentPort.postMessage([workerData, digest(zlib.gunzipSync(packed)), packed.length > 100])
} else main()

async function workers () {
  const all = [1, 2, 3, 4, 5, 6].map(n => new Worker(__filename, { workerData: n }))
  return Promise.all(all.map(async w => (await once(w, 'message'))[0].join(':')))
}

async function packed () {
  const sums = await Promise.all([...Array(12).keys()].map(async n => {
    const back = await promisify(zlib.inflate)(await promisify(zlib.deflate)(text(n)))
    return digest(back)
  }))
  return digest(sums.join())
}

async function files () {
  await fs.mkdir('f')
  await Promise.all([...Array(300).keys()].map(n => fs.writeFile(`f/${n}`, `content ${n}`.repeat(n))))
  const read = await Promise.all([...Array(300).keys()].map(async n => (await fs.readFile(`f/${n}`)).length))
  await fs.rm('f', { recursive: true })
  return read.reduce((a, b) => a + b)
}

async function children () {
  const forked = [7, 8, 9].map(async n => {
    const child = fork(__filename, ['child'])
    const end = once(child, 'exit') // libuv may see it before the message, where this process is slow
    child.send(n)
    const [answer] = await once(child, 'message')
    return answer + (await end)[0]
  })
  const run = [...Array(10).keys()].map(async n => (await promisify(execFile)('sh', ['-c', `seq ${n * 1000} | cksum`])).stdout.trim())
  return [...await Promise.all(forked), ...await Promise.all(run)].join(' ')
}

async function keys () {
  const made = await Promise.all([...Array(8).keys()].map(n => promisify(crypto.pbkdf2)(`p${n}`, 's', 20000, 16, 'sha512')))
  return digest(Buffer.concat(made))
}

async function main () {
  let turns = 0
  const ticking = setInterval(() => turns++, 1)
  for (const one of await Promise.all([workers(), packed(), files(), children(), keys()])) console.log(String(one))
  clearInterval(ticking)
  console.log(turns > 10)
}
