// npm x402-fetch 1.2, used as its README shows. The wallet has no node: it only signs.
import { createWalletClient, http } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { base } from "viem/chains";
import { wrapFetchWithPayment } from "x402-fetch";
import { serve } from "./orders.mjs";

await serve((order) => {
  const account = privateKeyToAccount(order.key);
  const wallet = createWalletClient({ account, transport: http("http://127.0.0.1:1"), chain: base });
  if (order.cap_usd === undefined || order.cap_usd === null) return wrapFetchWithPayment(fetch, wallet);
  return wrapFetchWithPayment(fetch, wallet, BigInt(order.cap_usd) * 1_000_000n);
});
