// npm @x402/fetch 2.27, used as its README shows, with x402 v1 registered too.
import { registerExactEvmScheme } from "@x402/evm/exact/client";
import { wrapFetchWithPayment, x402Client } from "@x402/fetch";
import { privateKeyToAccount } from "viem/accounts";
import { serve } from "./orders.mjs";

await serve((order) => {
  const client = new x402Client();
  registerExactEvmScheme(client, { signer: privateKeyToAccount(order.key) });
  if (order.cap_usd !== undefined && order.cap_usd !== null) {
    client.setSpendControls({ maxAmountPerPayment: `$${order.cap_usd}` });
  }
  return wrapFetchWithPayment(fetch, client);
});
