/**
 * Begins `open` for items before they are asked for, up to `window()` of them, and yields the results in the items' order.
 * Results that are never asked for may reject unheard.
 */
export async function* openAhead<Item, Result>(
  items: AsyncIterable<Item>,
  window: () => number,
  open: (item: Item) => Result | Promise<Result>,
): AsyncGenerator<{ readonly item: Item; readonly result: Result }> {
  const begun: { readonly item: Item; readonly result: Result | Promise<Result> }[] = []
  for await (const item of items) {
    const result = open(item)
    if (result instanceof Promise) result.catch(() => undefined)
    begun.push({ item, result })
    while (begun.length > window()) {
      const oldest = begun.shift()
      if (oldest !== undefined) yield { item: oldest.item, result: await oldest.result }
    }
  }
  for (const { item, result } of begun) yield { item, result: await result }
}
