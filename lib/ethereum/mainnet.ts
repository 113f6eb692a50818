/** Keyless JSON-RPC endpoints of Ethereum mainnet, as public lists name them in 2026. */
export const MAINNET_URLS = [
  "wss://ethereum-rpc.publicnode.com",
  "https://ethereum-rpc.publicnode.com",
  "https://eth.drpc.org",
  "https://public.1rpc.io/eth",
  "https://rpc.mevblocker.io",
  "https://ethereum.reth.rs/rpc",
] as const;
