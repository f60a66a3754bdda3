declare module 'node-gyp-build' {
  /** Loads the prebuilt addon of a package. */
  interface Load {
    (folder: string): unknown
    /** Path of the prebuilt addon; throws where there is none for this platform. */
    path(folder: string): string
  }
  const load: Load
  export default load
}
