// The address of the page, which names the measurement that is open: a reloaded page shows the same. Knows no measurement.

/** @param {string} run its id, "" for none */
export function nameInAddress(run) {
  const address = new URL(location.href);
  if (run) address.searchParams.set("run", run);
  else address.searchParams.delete("run");
  history.replaceState(history.state, "", address);
}

/** The measurement that the address names, or null. */
export const addressed = () => new URL(location.href).searchParams.get("run");
