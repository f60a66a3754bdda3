import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import { optionError } from '../config/resolve.js'

/**
 * Options from a YAML or JSON file: the keys of the API.
 * @throws {CaeError} ERR_CAE_OPTION when it cannot be read, or is not an object
 */
export async function readConfigFile(path: string): Promise<Record<string, unknown>> {
  const content = await readFile(path, 'utf8').catch((error: Error) => {
    throw optionError({
      what: `the configuration file cannot be read: ${error.message}`,
      where: path,
      todo: 'the path of a YAML or JSON file',
    })
  })
  const value = parseYaml(content, path)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  throw optionError({ what: 'the configuration file holds no options', where: path, todo: 'lines such as `batchSize: 64`' })
}

/** JSON is YAML too. */
function parseYaml(content: string, path: string): unknown {
  try {
    return parse(content)
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error)
    throw optionError({
      what: `the configuration file is not YAML: ${reason}`,
      where: path,
      todo: 'lines such as `batchSize: 64`, or JSON',
    })
  }
}
