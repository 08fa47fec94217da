// The same by TLS: HTTP/2 is agreed on (ALPN), and upgrades get an HTTP/1.1 connection beside it.
process.env.OH_SECURE = '1';
await import('./oh001_traffic.mjs');
