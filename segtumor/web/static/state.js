/** What the parts of the page share, and who wants to know when it changes. */

/**
 * @template {Record<string, unknown>} S
 * @param {S} initial
 */
export function createStore(initial) {
  const state = { ...initial };
  /** @type {{keys: (keyof S)[], listener: (state: S) => void}[]} */
  const listeners = [];

  return {
    /** The state itself: read it, change it by `set`. */
    state,

    /** @param {Partial<S>} patch */
    set(patch) {
      const changed = Object.keys(patch).filter((key) => !Object.is(state[key], patch[key]));
      Object.assign(state, patch);
      this.touch(...changed);
    },

    /**
     * Tell listeners of keys whose value changed inside.
     * @param {...(keyof S)} keys
     */
    touch(...keys) {
      for (const { keys: wanted, listener } of listeners) {
        if (keys.some((key) => wanted.includes(key))) listener(state);
      }
    },

    /**
     * Call `listener` now, and whenever one of the keys changes.
     * @param {(keyof S)[]} keys
     * @param {(state: S) => void} listener
     */
    on(keys, listener) {
      listeners.push({ keys, listener });
      listener(state);
    },
  };
}
