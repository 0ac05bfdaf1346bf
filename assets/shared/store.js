// Holds a page's state and tells its panes what changed. Knows neither the state's fields nor who listens.

/**
 * @template {object} State
 * @typedef {object} Store
 * @property {() => Readonly<State>} get
 * @property {(changes: Partial<State>) => void} patch
 * @property {(fields: (keyof State)[], listener: (state: Readonly<State>) => void) => () => void} subscribe
 */

/**
 * A store that begins with `initial`.
 *
 * `patch({ field: value })` replaces fields, then calls every listener of a field whose value is another one now
 * (Object.is): put a new array, object or Map in place of one that changed, do not change it in place.
 * `subscribe(fields, listener)` returns the function that ends it. A listener is called once per patch, in the
 * order of subscription, with the state as it is at that moment.
 *
 * @template {object} State
 * @param {State} initial
 * @returns {Store<State>}
 */
export function createStore(initial) {
  let state = { ...initial };
  /** @type {Set<{ fields: (keyof State)[], listener: (state: Readonly<State>) => void }>} */
  const subscriptions = new Set();

  return {
    get: () => state,
    patch(changes) {
      const before = state;
      const now = { ...before, ...changes };
      state = now;
      for (const { fields, listener } of subscriptions) {
        if (fields.some((field) => !Object.is(before[field], now[field]))) listener(state);
      }
    },
    subscribe(fields, listener) {
      const subscription = { fields, listener };
      subscriptions.add(subscription);
      return () => {
        subscriptions.delete(subscription);
      };
    },
  };
}
