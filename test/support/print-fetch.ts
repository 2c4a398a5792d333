/** Loaded before a script: what `fetch` got is printed, the body and below it the status. */

const send = globalThis.fetch;

globalThis.fetch = async (...args) => {
  const response = await send(...args);
  process.stdout.write(`${await response.clone().text()}\n${response.status}`);
  return response;
};
