/** Reads TensorBoard event files without any of the writer's code: framing, checksums and protocol buffers from their definitions. */

export interface EventRecord {
  readonly wallTime: number
  readonly step: number
  readonly fileVersion?: string
  readonly sessionStatus?: number
  readonly scalars: Readonly<Record<string, number>>
  readonly images: Readonly<Record<string, { width: number; height: number; channels: number; png: Buffer }>>
}

/** @throws when a length, a checksum or a field is not what the formats allow */
export function readEvents(file: Buffer): EventRecord[] {
  return frames(file).map(parseEvent)
}

function frames(file: Buffer): Buffer[] {
  const payloads: Buffer[] = []
  for (let at = 0; at < file.length; ) {
    const length = Number(file.readBigUInt64LE(at))
    const payload = file.subarray(at + 12, at + 12 + length)
    if (masked(file.subarray(at, at + 8)) !== file.readUInt32LE(at + 8)) throw new Error(`checksum of the length at ${at}`)
    if (masked(payload) !== file.readUInt32LE(at + 12 + length)) throw new Error(`checksum of the payload at ${at}`)
    payloads.push(payload)
    at += 16 + length
  }
  return payloads
}

function masked(data: Buffer): number {
  let crc = 0xffffffff
  for (const byte of data) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  }
  crc = ~crc >>> 0
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}

type Field = { number: number; value: number | Buffer }

function fields(message: Buffer): Field[] {
  const found: Field[] = []
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = message.readUInt8(at++)
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }
  while (at < message.length) {
    const tag = varint()
    const number = Math.floor(tag / 8)
    if (tag % 8 === 0) found.push({ number, value: varint() })
    else {
      const size = { 1: 8, 2: 0, 5: 4 }[tag % 8]
      if (size === undefined) throw new Error(`wire type ${tag % 8}`)
      const length = size || varint()
      const bytes = message.subarray(at, at + length)
      if (bytes.length < length) throw new Error(`field ${number} is cut`)
      at += length
      found.push({ number, value: tag % 8 === 1 ? bytes.readDoubleLE() : tag % 8 === 5 ? bytes.readFloatLE() : bytes })
    }
  }
  return found
}

function numberOf(message: readonly Field[], number: number): number | undefined {
  const value = message.find((field) => field.number === number)?.value
  return typeof value === 'number' ? value : undefined
}

function bytesOf(message: readonly Field[], number: number): Buffer | undefined {
  const value = message.find((field) => field.number === number)?.value
  return typeof value === 'number' ? undefined : value
}

function parseEvent(payload: Buffer): EventRecord {
  const event = fields(payload)
  const scalars: Record<string, number> = {}
  const images: Record<string, { width: number; height: number; channels: number; png: Buffer }> = {}
  for (const { value } of fields(bytesOf(event, 5) ?? Buffer.alloc(0))) {
    if (typeof value === 'number') throw new Error('a summary holds messages only')
    const point = fields(value)
    const tag = String(bytesOf(point, 1))
    const scalar = numberOf(point, 2)
    if (scalar !== undefined) scalars[tag] = scalar
    const image = bytesOf(point, 4)
    if (image) {
      const parts = fields(image)
      const [height = 0, width = 0, channels = 0] = [1, 2, 3].map((number) => numberOf(parts, number))
      images[tag] = { width, height, channels, png: bytesOf(parts, 4) ?? Buffer.alloc(0) }
    }
  }
  const session = bytesOf(event, 7)
  const fileVersion = bytesOf(event, 3)
  const sessionStatus = session && numberOf(fields(session), 1)
  return {
    wallTime: numberOf(event, 1) ?? Number.NaN,
    step: numberOf(event, 2) ?? 0,
    ...(fileVersion ? { fileVersion: String(fileVersion) } : {}),
    ...(sessionStatus === undefined ? {} : { sessionStatus }),
    scalars,
    images,
  }
}
