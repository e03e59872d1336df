// One order per line of stdin, one answer per line of stdout: see tests/interop/clients.py.
import { createInterface } from "node:readline";

export async function serve(fetchFor) {
  for await (const line of createInterface({ input: process.stdin })) {
    const answer = await carryOut(fetchFor, JSON.parse(line));
    process.stdout.write(JSON.stringify(answer) + "\n");
  }
}

async function carryOut(fetchFor, order) {
  const headers = { ...order.headers };
  const init = { method: order.method, headers };
  if (order.body !== undefined && order.body !== null) {
    headers["Content-Type"] = "application/json";
    init.body = JSON.stringify(order.body);
  }
  try {
    const response = await fetchFor(order)(order.url, init);
    return { status: response.status, headers: Object.fromEntries(response.headers), text: await response.text() };
  } catch (error) {
    return { error: `${error.name}: ${error.message}` };
  }
}
